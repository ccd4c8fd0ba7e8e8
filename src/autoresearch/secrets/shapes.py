"""Secrets that can be told by what stands around them.

Whether a variable, key or option is called as secrets are called.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from autoresearch.secrets.encodings import is_edge

HIDDEN = "[redacted]"


LONGEST_BLOCK, MOST_LINES, TAIL_LINES = 20_000, 1000, 120
"""Of a private key block: characters of one that is closed, lines of one that is not, lines before an end alone."""

DONE = "\uffff"
"""Stands for each character of a secret while a text is looked through; no text has it."""


@dataclass(frozen=True)
class Shape:
    """A kind of secret that is told by what stands around it.

    Attributes:
        name: Whose it is.
        anchors: Text without which it cannot be there; looked for first, because that is cheap.
        told: The secret, in the group `s`, in its surroundings: a regular expression.
        begins: It is none in the middle of a word.
    """

    name: str
    anchors: tuple[str, ...]
    told: str
    begins: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression, compiled once an anchor was seen: most processes never see one, and start sooner for it."""
        return re.compile(self.told)

    def spans(self, text: str, gaps: Collection[int] = (), plain: str = "") -> Iterator[tuple[int, int]]:
        """Where secrets of this shape are; `plain` is the text in ASCII, in which anchors are found sooner."""
        plain = plain or text
        for anchor in self.anchors:
            if anchor in plain:
                break
        else:
            return
        for found in self.pattern.finditer(text):
            if not self.begins or is_edge(text, found.start(), gaps):
                yield found.span("s")


_KEY = r"PRIVATE KEY(?: BLOCK)?-----"
_LINE = r"[A-Za-z0-9+/=]{16,}"
_NEW = r"(?:\s|\\[nr])"
_NOT = rf"(?!\[redacted\]|{DONE})"
_SIGNED = (
    r"(?i:token|key|sig|signature|api_?key|access_token|auth|x-amz-signature|x-amz-security-token|"
    rf"x-amz-credential|x-goog-signature|x-goog-credential)={_NOT}(?P<s>[^\s&\"'<>#\\]{{8,}})"
)

SHAPES = (
    Shape(
        "private key block",
        ("PRIVATE KEY",),
        (
            rf"(?P<s>-----BEGIN [A-Z0-9 ]{{0,40}}{_KEY}(?:(?:(?!-----BEGIN )[\s\S]){{0,{LONGEST_BLOCK}}}?"
            rf"-----END [A-Z0-9 ]{{0,40}}{_KEY}|"
            rf"(?:{_NEW}*{_LINE}){{0,{MOST_LINES}}})"
            rf"|(?<![A-Za-z0-9+/=])(?:{_LINE}+{_NEW}++){{1,{TAIL_LINES}}}+-----END [A-Z0-9 ]{{0,40}}{_KEY})"
        ),
    ),
    Shape(
        "PuTTY",
        ("Private-Lines:",),
        (rf"Private-Lines: ?\d+(?P<s>(?:{_NEW}+[A-Za-z0-9+/=]{{4,}})+(?:{_NEW}+Private-(?:MAC|Hash): ?[0-9a-f]+)?)"),
    ),
    Shape(
        "Weights & Biases login",
        ("login",),
        r"(?:wandb|weave) login (?:--\S{1,99} ){0,20}(?P<s>[0-9a-f]{40}(?![0-9A-Za-z_]))",
    ),
    Shape(
        "AWS key id",
        ("AKIA", "ASIA", "ABIA"),
        r"(?P<s>A[KSB]IA[A-Z0-9]{16})(?![A-Za-z0-9])",
        begins=True,
    ),
    Shape("Slack", ("xox",), r"(?P<s>xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,})", begins=True),
    Shape("Slack", ("hooks.slack.com/",), r"hooks\.slack\.com/\w+/(?P<s>[\w/]{20,})"),
    Shape("Microsoft Teams", (".webhook.office.com/",), r"\.webhook\.office\.com/\w+/(?P<s>[\w@/-]{20,})"),
    Shape("Discord", ("api/webhooks/",), r"api/webhooks/[0-9]+/(?P<s>[\w-]{20,})"),
    Shape("Telegram", (":A",), r"(?P<s>[0-9]{5,16}:A[A-Za-z0-9_-]{34})"),
    Shape("Azure AD", ("Q~",), r"(?P<s>[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})"),
    Shape("Terraform", (".atlasv1.",), r"(?P<s>[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{40,})"),
    Shape("Twitter", ("A" * 20,), r"(?P<s>A{20}[A-Za-z0-9%]{30,})", begins=True),
    Shape("MaxMind", ("_mmk",), r"(?P<s>[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk)(?![A-Za-z0-9])"),
    Shape("GitLab session", ("_gitlab_session=",), r"_gitlab_session=(?P<s>[0-9a-z]{32})"),
    Shape("Facebook app", ("|",), r"\|(?<=[0-9]{15}\|)(?P<s>[\w-]{27,40})(?![\w-])"),
    Shape(
        "NuGet",
        ('assword"',),
        rf"key=\\?\"(?:ClearText)?Password\\?\"\s{{1,9}}value=\\?\"{_NOT}(?P<s>[^\"\r\n]{{4,}}?)\\?\"",
    ),
    Shape("Mailchimp", ("-us",), r"(?P<s>[0-9a-f]{32}-us[0-9]{1,2})(?![0-9])"),
    Shape(
        "user and password of curl",
        ("curl",),
        (
            r"curl\b[^\r\n|;]{0,400}?[\s\"',](?:-u|--user|--proxy-user|-U)[\s=\"',]{0,4}[^\s:\"',]{1,99}:(?P<s>"
            rf"{_NOT}(?![$<{{*]|//)[^\s\"']+)"
        ),
    ),
    Shape(
        "authorization header",
        ("uthorization", "UTHORIZATION"),
        (
            r"(?i:authorization)\\?[\"']?[ \t]{0,3}[:=,][ \t]{0,3}\\?[\"']?"
            r"(?i:(?:bearer|basic|token|digest|negotiate)[ \t]{1,9})?+"
            rf"{_NOT}(?![$<{{*])(?P<s>[^\s\"',\\]{{6,}})"
        ),
    ),
    Shape(
        "bearer token",
        ("earer ", "EARER "),
        r"(?i:bearer) {1,4}(?P<s>(?=[A-Za-z._~+/=-]{0,60}[0-9])[A-Za-z0-9._~+/=-]{12,})",
    ),
    Shape("password in an address", ("://",), rf"://[^\s:/@\"'?#]*:(?P<s>{_NOT}[^\s/@\"']+)@"),
    Shape("token in an address", ("://",), rf"://(?P<s>[^\s:/@\"'?#\[\]${DONE}]{{20,}})@"),
    Shape("signed address", ("?",), rf"\?{_SIGNED}"),
    Shape("signed address", ("&",), f"&{_SIGNED}"),
    Shape(
        "netrc",
        ("password",),
        (rf"login[ \t]+\S{{1,200}}\s{{1,64}}(?:account[ \t]+\S{{1,200}}\s{{1,64}})?password[ \t]+{_NOT}(?P<s>\S+)"),
    ),
    Shape(
        "netrc",
        ("password",),
        (rf"(?:^|(?<=[\n\r]))[ \t]*password[ \t]+{_NOT}(?P<s>(?=\S*[^a-z\s.:;,!?])\S{{6,}})[ \t]*(?=[\r\n]|\Z)"),
    ),
    Shape("registry login", ("auth",), r"\\?[\"']auth\\?[\"'][ \t]*:[ \t]*\\?[\"'](?P<s>[A-Za-z0-9+/=]{12,})"),
)
"""Most telling first; a private key block goes before the lines it consists of. Tokens that need no surroundings are in
`tokens`."""


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
    "security", "service", "session", "slack", "user", "wandb", "webhook", "xsrf",
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
