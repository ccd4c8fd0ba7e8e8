"""Secrets that can be told by their looks, whoever wrote them down and wherever.

Whether a variable, key or option is called as secrets are called.
"""

import re
from dataclasses import dataclass
from enum import Enum

HIDDEN = "[redacted]"


@dataclass(frozen=True)
class Shape:
    """A kind of secret.

    Attributes:
        name: Whose it is.
        anchors: Text without which it cannot be there; looked for first, because that is cheap.
        pattern: The secret in its surroundings.
        shown: What is put in its place.
    """

    name: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]
    shown: str = HIDDEN

    def clean(self, text: str) -> str:
        """The text with every secret of this shape hidden."""
        return self.pattern.sub(self.shown, text) if any(anchor in text for anchor in self.anchors) else text


def _prefixed(name: str, prefix: str, rest: str) -> Shape:
    return Shape(name, (prefix,), re.compile(rf"(?<![A-Za-z0-9]){re.escape(prefix)}{rest}"))


_DIGIT = r"(?=[A-Za-z_-]{0,60}[0-9])"
_KEY = r"PRIVATE KEY(?: BLOCK)?-----"

SHAPES = (
    Shape(
        "private key block",
        ("PRIVATE KEY",),
        re.compile(
            rf"-----BEGIN [A-Z0-9 ]*{_KEY}(?:(?:(?!-----BEGIN )[\s\S]){{0,20000}}?-----END [A-Z0-9 ]*{_KEY}|"
            rf"(?:(?:\s|\\n)*[A-Za-z0-9+/=]{{16,}})*)"
            rf"|(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{{16,}}+(?:\s|\\n)++){{1,120}}+-----END [A-Z0-9 ]*{_KEY}"
        ),
    ),
    _prefixed("Hugging Face", "hf_", r"[A-Za-z0-9]{20,}"),
    _prefixed("Hugging Face organisation", "api_org_", r"[A-Za-z0-9]{20,}"),
    _prefixed("OpenAI, Anthropic and others", "sk-", rf"{_DIGIT}[A-Za-z0-9_-]{{20,}}"),
    _prefixed("NVIDIA", "nvapi-", r"[A-Za-z0-9_-]{20,}"),
    _prefixed("Weights & Biases", "wandb_v1_", r"[A-Za-z0-9_]{20,}"),
    Shape(
        "Weights & Biases login",
        ("wandb login",),
        re.compile(r"(wandb login (?:--\S+ )*)[0-9a-f]{40}\b"),
        rf"\1{HIDDEN}",
    ),
    Shape(
        "GitHub",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        re.compile(r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9_]{20,}"),
    ),
    _prefixed("GitHub", "github_pat_", r"[A-Za-z0-9_]{20,}"),
    _prefixed("GitLab", "glpat-", r"[A-Za-z0-9_-]{16,}"),
    Shape("AWS key id", ("AKIA", "ASIA"), re.compile(r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])")),
    _prefixed("Google", "AIza", r"[A-Za-z0-9_-]{30,}"),
    _prefixed("Google", "ya29.", r"[A-Za-z0-9_-]{20,}"),
    _prefixed("Google", "GOCSPX-", r"[A-Za-z0-9_-]{20,}"),
    Shape("Slack", ("xox",), re.compile(r"(?<![A-Za-z0-9])xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}")),
    Shape("Slack", ("hooks.slack.com/",), re.compile(r"(hooks\.slack\.com/\w+/)[\w/]{20,}"), rf"\1{HIDDEN}"),
    Shape("Stripe", ("k_live_", "k_test_"), re.compile(r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,}")),
    _prefixed("npm", "npm_", r"[A-Za-z0-9]{36}"),
    _prefixed("PyPI", "pypi-", r"[A-Za-z0-9_-]{50,}"),
    _prefixed("LangSmith", "lsv2_", r"[A-Za-z0-9_]{20,}"),
    _prefixed("JSON web token", "eyJ", r"[A-Za-z0-9_-]{8,4000}+\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    Shape(
        "authorization header",
        ("uthorization", "UTHORIZATION"),
        re.compile(
            r"((?i:authorization)\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?i:(?:bearer|basic|token|digest|negotiate)\s+)?+)"
            r"(?!\[redacted\]|[$<{*])[^\s\"',\\]{6,}"
        ),
        rf"\1{HIDDEN}",
    ),
    Shape(
        "bearer token",
        ("earer ", "EARER "),
        re.compile(r"((?i:bearer) )(?=[A-Za-z._~+/=-]{0,60}[0-9])[A-Za-z0-9._~+/=-]{12,}"),
        rf"\1{HIDDEN}",
    ),
    Shape(
        "password in an address",
        ("://",),
        re.compile(r"(://[^\s:/@\"'?#]*:)(?!\[redacted\])[^\s/@\"']+@"),
        rf"\1{HIDDEN}@",
    ),
    Shape("token in an address", ("://",), re.compile(r"(://)[^\s:/@\"'?#\[\]$]{20,}@"), rf"\1{HIDDEN}@"),
    Shape(
        "signed address",
        ("?", "&"),
        re.compile(
            r"([?&](?i:token|key|sig|signature|api_?key|access_token|auth|x-amz-signature|x-amz-security-token|"
            r"x-amz-credential|x-goog-signature|x-goog-credential)=)(?!\[redacted\])[^\s&\"'<>#\\]{8,}"
        ),
        rf"\1{HIDDEN}",
    ),
    Shape("netrc", ("password ",), re.compile(r"(login \S+\s+password )(?!\[redacted\])\S+"), rf"\1{HIDDEN}"),
    Shape(
        "registry login",
        ("auth",),
        re.compile(r"(\\?[\"']auth\\?[\"']\s*:\s*\\?[\"'])[A-Za-z0-9+/=]{12,}"),
        rf"\1{HIDDEN}",
    ),
)
"""Most telling first; a private key block goes before the lines it consists of."""


class SecretName(Enum):
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


def suspicion(name: str) -> SecretName:
    """What a name such as `WANDB_API_KEY`, `clientSecret` or `--hub-token` says about its value."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or (words[-1] in _ABOUT and words[-3:] != ["access", "key", "id"]):
        return SecretName.NONE
    if _ALWAYS & set(words) or any(tuple(words[-length:]) in _ENDINGS for length in (1, 2, 3)):
        return SecretName.SURE
    if words[-1] == "token":
        return _of_token(words[:-1], shouted=name.isupper())
    shouted_key = words[-1] == "key" and len(words) > 1 and name.isupper()
    return SecretName.LOOKS if shouted_key else SecretName.NONE


def _of_token(before: list[str], *, shouted: bool) -> SecretName:
    if not before:
        return SecretName.LOOKS
    if before[-1] in _TEXT:
        return SecretName.NONE
    return SecretName.SURE if shouted or before[-1] in _OWNERS else SecretName.LOOKS
