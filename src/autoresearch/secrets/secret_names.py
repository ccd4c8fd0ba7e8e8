"""Whether a variable, key or option is called as secrets are called."""

import re
from enum import Enum
from functools import lru_cache


class Suspicion(Enum):
    """How much a name says about its value."""

    NONE = 0
    LOOKS = 1
    """Secret if the value looks like one: `token`, `NGC_KEY`."""
    SURE = 2
    """Secret whatever the value: `password`, `HF_TOKEN`, `api_key`."""


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_ALWAYS = frozenset({"password", "passwd", "passphrase", "passwords", "secret"})
_ENDINGS = frozenset(
    {
        *(("apikey",), ("accesskey",), ("secretkey",), ("credential",), ("credentials",)),
        *(("key", "data"), ("access", "key", "id")),
        *((kind, "key") for kind in ("api", "access", "secret", "private", "signing", "encryption", "auth", "account")),
        *((kind, "pwd") for kind in ("db", "user", "admin", "root", "my", "database")),
    }
)
_ABOUT = frozenset({
    "count", "dir", "env", "expires", "file", "id", "index", "length", "limit", "max", "min", "mode", "name", "names",
    "path", "policy", "ref", "rotation", "size", "ttl", "type", "url", "uri", "version",
})  # fmt: skip
"""Last words of names that tell something about a secret and are none: `secret_name`, `password_file`."""

_OWNERS = frozenset({
    "access", "api", "app", "auth", "aws", "azure", "bearer", "bot", "client", "csrf", "docker", "gh", "git",
    "github", "gitlab", "hf", "hub", "jupyter", "ngc", "npm", "oauth", "personal", "pypi", "refresh", "registry",
    "secret", "security", "service", "session", "slack", "user", "wandb", "webhook", "xsrf",
})  # fmt: skip
"""Words before `token` that make it a credential; before it, `eos` or `pad` make it a piece of text."""

_TEXT = frozenset({
    "audio", "bos", "cls", "end", "eos", "first", "image", "last", "mask", "max", "min", "new", "next", "num", "pad",
    "prompt", "sep", "special", "start", "stop", "think", "tool", "unk", "video",
})  # fmt: skip


@lru_cache(maxsize=4096)
def suspicion(name: str) -> Suspicion:
    """What a name such as `WANDB_API_KEY`, `clientSecret` or `--hub-token` says about its value."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or (words[-1] in _ABOUT and words[-3:] != ["access", "key", "id"]):
        return Suspicion.NONE
    if _ALWAYS & set(words) or any(tuple(words[-length:]) in _ENDINGS for length in (1, 2, 3)):
        return Suspicion.SURE
    if words[-1] == "token":
        return _of_token(words[:-1], shouted=name.isupper())
    shouted_key = words[-1] == "key" and len(words) > 1 and name.isupper()
    return Suspicion.LOOKS if shouted_key else Suspicion.NONE


def _of_token(before: list[str], *, shouted: bool) -> Suspicion:
    if not before:
        return Suspicion.LOOKS
    if before[-1] in _TEXT:
        return Suspicion.NONE
    return Suspicion.SURE if shouted or before[-1] in _OWNERS else Suspicion.LOOKS
