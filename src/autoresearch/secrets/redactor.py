"""Keeps secrets out of everything that is written: logs, rows, notes, reports, prompts.

Three nets, each with its own mesh: values known from the environment, in the encodings they commonly take; shapes that
give a secret away (`shapes`); and values given to a name that secrets have (`shapes.SecretName`). Ordinary text,
paths, numbers and git hashes pass unharmed, and what was cleaned once stays as it is when cleaned again.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from autoresearch.secrets.shapes import HIDDEN, SHAPES, SecretName, suspicion

SHORTEST = 6
"""Characters below which a known value is not looked for: it would damage more than it hides."""

_LONGEST_LINE = 65536
_TRIES = 8
_LONGEST_TOKEN = 512
_BLANK = re.compile(r"[^\w+/=.%:@\"'\\-]+")
_BLOCK_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}\s*")

_GLUE = r"(?P<glue>\\?[\"']?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}|(?P<space>\\?[\"']?,? +))"
_VALUE = re.compile(
    r"(?P<open>\\[\"']|[\"'])?(?P<value>(?(open)(?:(?<=\\\")[^\"\\\n]*|(?<=\\')[^'\\\n]*|"
    r"(?<=\")(?:[^\"\\\n]|\\.)*|(?<=')(?:[^'\\\n]|\\.)*)|[^\s\"'\\]+))"
)
_NO_NUMBER = r"(?![\w-]{0,40}+[\"']?[ \t]{0,4}[:=][ \t]{0,4}[0-9.]{1,12}(?![\w.]))"
# Words that logs of training are full of are ruled out early: `tokens_per_sec: 5`, `tokenizer: x`, `key=3`.
_COMMON = {"key": rf"(?<=[\w -].{{3}}){_NO_NUMBER}", "token": rf"(?!s|S|iz|IZ|_id|_per|_len){_NO_NUMBER}"}
_NAMED = {
    stem: [
        re.compile(rf"{word}{_COMMON.get(stem, '')}(?P<rest>[\w-]{{0,40}}+){_GLUE}")
        for word in (stem, stem.capitalize(), stem.upper())
    ]
    for stem in ("key", "token", "secret", "passw", "passphrase", "credential", "pwd")
}
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_SPOKEN = ("api ", "access ", "secret ", "private ")
_OPTION = re.compile(r"--[A-Za-z]")
_NO_VALUE = re.compile(
    r"(?:\\?[\"'])?(?:\[redacted\]|[\[({](?=[\s\"'\\]|\Z)|<[\w .-]*>|\{\{|%\(|\*+(?![^\s\"',;])|"
    r"\$\{?\w+\}?(?![^\s\"',;/])|"
    r"(?:str|int|bool|bytes|float|None|null|none|nil|true|false|True|False|Optional|SecretStr|"
    r"os\.\w+|self\.\w+|args\.\w+|cfg\.\w+|config\.\w+|getpass|getenv)(?![\w!@#$%^&*+-]))"
)
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~+/=-]{12,}")
_PATH = re.compile(r"(?:~|\.{1,2})?/(?:[\w.@%+-]+/)*[\w.@%+-]*\Z|[\w.-]+\.(?:json|ya?ml|env|txt|pem|key|toml)\Z")


def looks_random(value: str) -> bool:
    """Whether a value could be a machine-made secret: long enough, letters and digits, no path."""
    return bool(_RANDOM.fullmatch(value)) and not _PATH.match(value)


class Redactor:
    """Hides secrets in text. Immutable, and safe to share.

    Args:
        values: Secrets that are known. They are found raw, URL-encoded, JSON-escaped and inside base64; of a value with
            several lines each longer line is a secret too. Values shorter than `SHORTEST` are left out.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value)}
        self._known = tuple(sorted(forms, key=lambda form: (-len(form), form)))

    def clean(self, text: str) -> str:
        """The text with every secret replaced by `[redacted]`."""
        for form in self._known:
            if form in text:
                text = text.replace(form, HIDDEN)
        for shape in SHAPES:
            text = shape.clean(text)
        lowered = text.lower()
        for stem, patterns in _NAMED.items():
            if stem in lowered:
                for pattern in patterns:
                    text = _hide_values(text, pattern)
        return text

    def clean_mapping(self, values: Mapping[str, str]) -> dict[str, str]:
        """Variables or options fit to be written down: values are hidden for what they are called or contain."""
        return {
            name: HIDDEN if value and _secret(name, value, suspicion(name)) else self.clean(value)
            for name, value in values.items()
        }

    def clean_argv(self, words: Iterable[str]) -> tuple[str, ...]:
        """A command line fit to be written down: also the word after an option such as `--api-key` is hidden."""
        cleaned: list[str] = []
        option = ""
        for word in words:
            cleaned.append(HIDDEN if option and _secret(option, word, suspicion(option)) else self.clean(word))
            option = word if _OPTION.match(word) and "=" not in word else ""
        return tuple(cleaned)

    def clean_stream(self, chunks: Iterable[str]) -> Iterator[str]:
        """The text of a stream, cleaned, in pieces of whole lines where lines end.

        Secrets torn between two chunks are found. Text is held back until its line ends, a private key block until it
        closes; a line longer than `_LONGEST_LINE` is cut where no secret is torn.
        """
        cleaner = Cleaner(self)
        for chunk in chunks:
            if ready := cleaner.feed(chunk):
                yield ready
        if rest := cleaner.close():
            yield rest

    def cut(self, held: str) -> int:
        """Where a text too long to hold can be cut: what is cleaned in two parts there is the same as in one."""
        whole = self.clean(held)
        ends = [found.end() for found in _BLANK.finditer(held, len(held) // 2)]
        for end in reversed(ends[-_TRIES:]):
            if self.clean(held[:end]) + self.clean(held[end:]) == whole:
                return end
        return len(held) // 2


class Cleaner:
    """Cleans a stream that comes in pieces, see `Redactor.clean_stream`; what `feed` holds back, `close` gives."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece; returns what can go by now, cleaned."""
        self._held += text
        ready = _ready(self._held)
        if not ready and len(self._held) > _LONGEST_LINE:
            ready = self._redactor.cut(self._held)
        going, self._held = self._held[:ready], self._held[ready:]
        return self._redactor.clean(going) if going else ""

    def close(self) -> str:
        """The rest, cleaned; the next piece begins a new stream."""
        rest, self._held = self._held, ""
        return self._redactor.clean(rest) if rest else ""


def _ready(held: str) -> int:
    """How much of the held text can go: whole lines, none of them inside an open private key block.

    A carriage return ends a line too: progress bars have no other.
    """
    end = held.rfind("\n") + 1 or held.rfind("\r", 0, len(held) - 1) + 1
    begin = held.rfind("-----BEGIN ", 0, end)
    if begin >= 0 and "PRIVATE KEY" in held[begin : begin + 60] and "-----END " not in held[begin:end]:
        return begin
    while end and _BLOCK_LINE.fullmatch(held, held.rfind("\n", 0, end - 1) + 1, end):
        end = held.rfind("\n", 0, end - 1) + 1
    return end


def _hide_values(text: str, pattern: re.Pattern[str]) -> str:
    """The text with the values of suspicious names hidden; what follows a harmless name is looked at again."""
    parts, done, at = [], 0, 0
    levels: dict[str, SecretName] = {}
    while found := pattern.search(text, at):
        at = found.end()
        name = _name(text, found)
        level = levels.get(name) or levels.setdefault(name, suspicion(name))
        if level is SecretName.NONE or (found["space"] and not _OPTION.match(name)):
            continue
        if _NO_VALUE.match(text, at):
            continue
        value = _VALUE.match(text, at, len(text) if level is SecretName.SURE else at + _LONGEST_TOKEN)
        if value and _secret(name, value["value"], level):
            parts += [text[done : value.start("value")], HIDDEN]
            done = at = value.end("value")
    return "".join([*parts, text[done:]])


def _name(text: str, found: re.Match[str]) -> str:
    """The whole name of which the pattern found the telling part."""
    before = text[max(0, found.start() - 64) : found.start()]
    outside = before.rstrip(_WORD)
    name = before[len(outside) :] + text[found.start() : found.end("rest")]
    return f"{outside.split()[-1]} {name}" if outside.lower().endswith(_SPOKEN) else name


def _secret(name: str, value: str, level: SecretName) -> bool:
    if level is SecretName.NONE or not value or _NO_VALUE.match(value):
        return False
    if value.strip(",;)]}").rpartition(".")[2].lower() == name.strip("-").lower():
        return False
    if level is SecretName.LOOKS:
        return looks_random(value.rstrip(",;)]}"))
    return not _PATH.match(value) if "credential" in name.lower() else True


def _forms(value: str) -> set[str]:
    value = value.strip()
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    forms = {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    forms |= {line for line in lines if len(line) >= 16}
    raw = value.encode("utf-8", "surrogateescape")
    forms |= {form for offset in range(3) for form in _inside_base64(raw, offset)} if len(raw) >= 9 else set()
    return {form for form in forms if len(form) >= SHORTEST}


def _inside_base64(raw: bytes, offset: int) -> Iterator[str]:
    """The characters of base64 that depend on `raw` alone, when it begins `offset` bytes after a multiple of three."""
    whole = base64.b64encode(bytes(offset) + raw)
    first = (offset * 8 + 5) // 6
    last = ((offset + len(raw)) * 8) // 6
    yield whole[first:last].decode()
    yield whole[first:last].decode().replace("+", "-").replace("/", "_")
