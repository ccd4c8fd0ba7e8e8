"""Keeps secrets out of everything that is written: logs, rows, notes, reports, prompts.

Three nets, each with its own mesh: values known from the environment, in the encodings they commonly take; shapes that
give a secret away (`shapes`); and values given to a name that secrets have (`shapes.SecretName`). Ordinary text,
paths, numbers and git hashes pass unharmed, and what was cleaned once stays as it is when cleaned again.
"""

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, quote_plus

from autoresearch.secrets import stream
from autoresearch.secrets.encodings import Decoded, decoded, from_hex, in_ascii, without_colour
from autoresearch.secrets.scattered import ScatteredValues, is_looked_for
from autoresearch.secrets.shapes import DONE, HIDDEN, SHAPES, SecretName, suspicion
from autoresearch.secrets.tokens import tokens

SHORTEST = 6
"""Characters below which a known value is not looked for: it would damage more than it hides."""

_LONGEST_TOKEN = 512
_DEEPEST = 2
_CODED = re.compile(r"\\(?:x|u00)[0-9a-fA-F]{2}|\\[0-3][0-7]{2}|%[0-9a-fA-F]{2}|&#")
"""Codes that spelt codes have left."""
_TITLE = re.compile(r"(?<=\x1b\])[^\x07\x1b\r\n]+")
"""What a terminal is told for its title or as a link: no width in a line, and yet a text of its own."""
_RUN = re.compile(f"{DONE}+")

_GLUE = r"(?P<glue>\\?[\"']?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}|(?P<space>\\?[\"']?,? +))"
_VALUE = re.compile(
    r"(?P<open>\\[\"']|[\"'])?(?P<value>(?(open)(?:(?<=\\\")[^\"\\\r\n]*|(?<=\\')[^'\\\r\n]*|"
    r"(?<=\")(?:[^\"\\\r\n]|\\.)*|(?<=')(?:[^'\\\r\n]|\\.)*)|[^\s\"'\\]+))"
)
_NO_NUMBER = r"(?![\w-]{0,40}+[\"']?[ \t]{0,4}[:=][ \t]{0,4}[0-9.]{1,12}(?![\w.]))"
# Words that logs of training are full of are ruled out early: `tokens_per_sec: 5`, `tokenizer: x`, `key=3`.
_COMMON = {"key": rf"(?<=[\w -].{{3}}){_NO_NUMBER}", "token": rf"(?!s|S|iz|IZ|_id|_per|_len){_NO_NUMBER}"}


@dataclass(frozen=True)
class _Stem:
    """What names of secrets are made of; `patterns` are compiled once it was seen."""

    text: str

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """Names with it, in three spellings, and what stands before their value."""
        rest = rf"{_COMMON.get(self.text, '')}(?P<rest>[\w-]{{0,40}}+){_GLUE}"
        return tuple(re.compile(word + rest) for word in (self.text, self.text.capitalize(), self.text.upper()))


_STEMS = tuple(map(_Stem, ("key", "token", "secret", "passw", "passphrase", "credential", "pwd")))
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_SPOKEN = ("api ", "access ", "secret ", "private ")
_OPTION = re.compile(r"--[A-Za-z]")
_NO_VALUE = re.compile(
    r"(?:\\?[\"'])?(?:\[redacted\]|\uffff|[\[({](?=[\s\"'\\]|\Z)|<[\w .-]*>|\{\{|%\(|\*+(?![^\s\"',;])|"
    r"\$\{?\w+\}?(?![^\s\"',;/])|"
    r"(?:str|int|bool|bytes|float|None|null|none|nil|true|false|True|False|Optional|SecretStr|"
    r"os\.\w+|self\.\w+|args\.\w+|cfg\.\w+|config\.\w+|getpass|getenv)(?![\w!@#$%^&*+-]))"
)
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~+/=-]{12,}")
_PATH = re.compile(r"(?:~|\.{1,2})?/(?:[\w.@%+-]+/)*[\w.@%+-]*\Z|[\w.-]+\.(?:json|ya?ml|env|txt|pem|key|toml)\Z")


def looks_random(value: str) -> bool:
    """Whether a value could be a machine-made secret: long enough, letters and digits, no path."""
    return bool(_RANDOM.fullmatch(value)) and not _PATH.match(value)


def prepare() -> None:
    """Have every pattern compiled that would be when a text first needs it; for who forks, and pays once."""
    anchors = (anchor for shape in SHAPES for anchor in shape.anchors)
    long_words = "MixedWordOfTwentyLetters", "small-word-of-twenty-letters"
    Redactor().clean(" ".join((*anchors, *(stem.text for stem in _STEMS), *long_words)))


class Redactor:
    """Hides secrets in text. Immutable, and safe to share.

    Args:
        values: Secrets that are known. They are found raw, URL-encoded, JSON-escaped, in hex and inside base64, and
            backwards or with something between their characters; of a value with several lines each longer line is a
            secret too. Values shorter than `SHORTEST` are left out.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        values = tuple(values)
        forms = {form for value in values for form in _forms(value)}
        self._scattered = ScatteredValues(values)
        self._known = tuple(sorted(forms, key=lambda form: (-len(form), form)))

    def clean(self, text: str) -> str:
        """The text with every secret replaced by `[redacted]`."""
        return "".join(stream.cleaned(self.clean_piece, text))

    def clean_piece(self, text: str) -> str:
        """The same for a text whose lines are none of them too long to look at as a whole."""
        text = text.replace(DONE, "?") if DONE in text else text
        if "\x1b]" in text:
            text = _TITLE.sub(lambda found: self.clean_piece(found[0]), text)
        lines = without_colour(text)
        plain = in_ascii(lines.text)
        masked = _fill(self._mask(lines.text, plain, lines.gaps), self._scattered.spans(plain, lines=True))
        for read in (decoded(lines.text, plain), from_hex(plain)):
            if read:
                masked = _fill(masked, _found(read, self._mask_read(read, _DEEPEST)))
        if DONE not in masked:
            return text
        return _RUN.sub(HIDDEN, _fill(text, _found(lines, masked)) if lines.codes else masked)

    def tells(self, text: str) -> bool:
        """Whether a value is a secret by its own looks, whatever it is called."""
        plain = in_ascii(text)
        shaped = any(True for shape in SHAPES for _ in shape.spans(text, plain=plain))
        return shaped or any(True for _ in tokens(text))

    def open_since(self, text: str, end: int) -> int:
        """Where the line begins in which a known secret may have begun that goes on behind `end`; else `end`."""
        return self._scattered.open_since(text, end)

    def _mask_read(self, read: Decoded, deep: int) -> str:
        """The mask of a text as it is read, and of what is spelt in that by codes once more."""
        plain = in_ascii(read.text)
        masked = self._mask(read.text, plain, read.gaps, words=read.joins)
        masked = _fill(masked, self._scattered.spans(plain, lines=False))
        again = decoded(read.text, plain) if deep and _CODED.search(read.text) else None
        return _fill(masked, _found(again, self._mask_read(again, deep - 1))) if again else masked

    def _mask(self, text: str, plain: str, gaps: Collection[int] = (), *, words: bool = True) -> str:
        """The text with `DONE` for every character of a secret, so that all others keep their places."""
        for form in self._known:
            if form in (plain if form.isascii() else text):
                text = text.replace(form, DONE * len(form))
        for shape in SHAPES:
            text = _fill(text, shape.spans(text, gaps, plain))
        text = _fill(text, tokens(text, gaps)) if words else text
        lowered = plain.lower()
        for stem in _STEMS:
            if stem.text in lowered:
                for pattern in stem.patterns:
                    text = _fill(text, _named_values(text, pattern))
        return text

    def clean_mapping(self, values: Mapping[str, str]) -> dict[str, str]:
        """Variables or options fit to be written down: values are hidden for what they are called or contain."""
        return {
            name: HIDDEN if value and _secret(name, value, suspicion(name)) else self.clean(value)
            for name, value in values.items()
        }

    def is_secret(self, name: str, values: Iterable[object]) -> bool:
        """Whether one of a setting's values is hidden, for its name or for what it is."""
        told = [str(value) for value in values if value is not None]
        return any(self.clean_mapping({name: value})[name] != value for value in told)

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

        Together they are what `clean` makes of the whole text, wherever the chunks begin and end.
        """
        cleaner = Cleaner(self)
        for chunk in chunks:
            if ready := cleaner.feed(chunk):
                yield ready
        if rest := cleaner.close():
            yield rest


class Cleaner:
    """Cleans a stream that comes in pieces, see `Redactor.clean_stream`; what `feed` holds back, `close` gives."""

    def __init__(self, redactor: Redactor) -> None:
        self._clean = redactor.clean_piece
        self._open_since = redactor.open_since
        self._held = ""
        self._torn = False

    def feed(self, text: str) -> str:
        """Take a piece; returns what can go by now, cleaned."""
        cleaned, self._held, self._torn = stream.cut_long(self._clean, self._held + text, torn=self._torn)
        if ready := stream.ready(self._held, self._open_since):
            cleaned.append(self._going(self._held[:ready]))
            self._held = self._held[ready:]
        return "".join(cleaned)

    def close(self) -> str:
        """The rest, cleaned; the next piece begins a new stream."""
        rest, self._held = self._held, ""
        return self._going(rest) if rest else ""

    def _going(self, text: str) -> str:
        torn, self._torn = self._torn, False
        return stream.without_torn(self._clean, text, torn=torn)


def _fill(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, done = [], 0
    for start, end in spans:
        if end > done:
            parts += [text[done:start], DONE * (end - max(start, done))]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _found(read: Decoded, masked: str) -> Iterator[tuple[int, int]]:
    """Where in the whole text the secrets are that were found in it as it is read."""
    return ((read.start(found.start()), read.end(found.end() - 1)) for found in _RUN.finditer(masked))


def _named_values(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Values of suspicious names; what follows a harmless name is looked at again."""
    at = 0
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
            yield value.span("value")
            at = value.end("value")


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
    if not is_looked_for(value):
        forms |= {raw.hex(), raw.hex().upper()}
        forms |= {form for offset in range(3) for form in _inside_base64(raw, offset)} if len(raw) >= 9 else set()
    return {form for form in forms if len(form) >= SHORTEST}


def _inside_base64(raw: bytes, offset: int) -> Iterator[str]:
    """The characters of base64 that depend on `raw` alone, when it begins `offset` bytes after a multiple of three."""
    whole = base64.b64encode(bytes(offset) + raw)
    first = (offset * 8 + 5) // 6
    last = ((offset + len(raw)) * 8) // 6
    yield whole[first:last].decode()
    yield whole[first:last].decode().replace("+", "-").replace("/", "_")
