r"""Text inside text: colours of a terminal, escapes of JSON and Python, percent codes, quoted-printable, hex.

A secret may stand right behind such a code (`\n`, `%20`, `ESC[32m`), or have one in its middle. `is_edge` knows the
first; `decoded` gives the lines that hold codes as they are read, with the place of each character, for the second;
`from_hex` does so for text that is spelt in hex, byte by byte.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

_ESC = r"(?:\x1b|\\+(?:u001[bB]|x1[bB]|033|e)|%1[bB]|\^\[|␛)"
_TERMINAL = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\r\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
_NO_WIDTH = "\x00\x9b\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_ZERO = re.compile(rf"{_TERMINAL}|\x9b[0-?]*[ -/]*[@-~]|[{_NO_WIDTH.replace(chr(0x9B), '')}]+")
_ONLY_TERMINAL = re.compile(_TERMINAL)
_CSI = r"\[[0-?]*[ -/]*[@-~]"
_CODE = re.compile(
    rf"[\\%=&^\[␛](?:(?<=\\)\\*(?:(?P<gone_a>(?:u001[bB]|x1[bB]|033|e){_CSI})|(?P<letter>[ntrbfv])|"
    r"x(?P<byte>[0-9a-fA-F]{2})|u(?P<unit>[0-9a-fA-F]{4})|(?P<octal>[0-3][0-7]{2}))|"
    rf"(?<=%)(?:25){{0,3}}(?:(?P<gone_b>1[bB](?:{_CSI}|%5[bB](?:[0-9;?]|%3[bBfF])*[A-Za-z]))|"
    r"(?P<percent>[0-9a-fA-F]{2}))|"
    rf"(?<=\^)(?P<gone_c>\[{_CSI})|(?<=␛)(?P<gone_d>{_CSI})|(?<!\w\[)(?<=\[)(?P<gone_e>[0-9;]{{1,12}}m)|"
    rf"(?<==)(?P<gone_g>1B{_CSI})|"
    r"(?<==)(?:(?P<gone_f>(?<=[^\r\n]{70}=)(?<![^\r\n]{76}=)\r?\n)|(?P<printable>3D|20|09|0A|22|27|3A|2E|5F|2D))|"
    r"(?<=&)(?:amp;){0,2}(?:(?P<entity>quot|amp|apos|lt|gt|nbsp)|#0{0,5}(?P<dec>[1-9][0-9]{1,3})|"
    r"#[xX]0{0,5}(?P<hexa>[1-9a-fA-F][0-9a-fA-F]{1,3}));)"
)
"""Every branch names its first character again, so that the search can run to the next of them."""
_BETWEEN = "\n.\n"
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_ENTITIES = {"quot": '"', "amp": "&", "apos": "'", "lt": "<", "gt": ">", "nbsp": " "}
_SOFT_BREAK = r"(?=[\r\n])(?<=[^\r\n]{70}=)(?<![^\r\n]{76}=)\r?\n"
_ANY_ASCII = re.compile(
    rf"\\[\\ntrbfvxue0-3]|%[0-9a-fA-F]{{2}}|=(?:3D|0A|1B|20\r?\n|{_SOFT_BREAK})|&[#a-z]|\^\[\["
    r"|\[(?<!\w\[)[0-9;]{1,12}m"
)
_ANY_CODE = re.compile(rf"{_ANY_ASCII.pattern}|␛\[")
_MAY = (
    "key", "token", "secret", "pass", "credential", "pwd", "auth", "uthoriz", "earer", "login", "curl", "slack",
    "webhook", "://", "sig", "1b", "033[", "\\e[", "%3a", "%2f", "%3d", "=3d", "253d", "5c", "^[[", "␛", "private",
)  # fmt: skip
"""In small letters. Without one of these, or what `_MAY_BE` finds, a line holds nothing but what was found before it
was decoded."""
_NEEDLESS = "(?:2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF])"
_MAY_BE = re.compile(
    rf"m(?<=[0-9]m)|=\r?\n|%(?:25){{0,3}}{_NEEDLESS}|\\(?:x|u00){_NEEDLESS}|\\(?:05[56]|06[0-7]|07[01]|1[0-7][0-7])"
    rf"|[&;]#0{{0,5}}(?:4[5-9]|5[0-7]|6[5-9]|[7-9][0-9]|1[0-2][0-9]);|[&;]#[xX]0{{0,5}}{_NEEDLESS};"
)
"""A code for a letter, a digit or one of `-._`, which need none, may spell a secret."""
_EDGE = re.compile(
    r"(?:\\+(?:[abefnrtv0]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[A-Z ]*\}|[0-7]{1,3})|"
    r"(?:%(?:25)*|=)[0-9A-Fa-f]{2}|"
    rf"(?:{_ESC}|\x9b)\[?[0-?]*[ -/]*[@-~]|\[[0-9;]*m|[0-9](?:Z|T|UTC|GMT|[AP]M|ms|s)?)\Z"
)
_BACK = 24
_Codes = Callable[[str, int, int], Iterator[re.Match[str]]]
"""The codes in a text between two places."""


def in_ascii(text: str) -> str:
    """The text with a question mark for every other character: each keeps its place, and a search is far quicker."""
    return text if text.isascii() else text.encode("ascii", "replace").decode("ascii")


def is_edge(text: str, at: int, gaps: Collection[int] = ()) -> bool:
    """Whether a word may begin at a place: no letter before it, or one that belongs to a code or a time of day."""
    if at == 0 or not (text[at - 1].isascii() and text[at - 1].isalnum()) or at in gaps:
        return True
    return bool(_EDGE.search(text[max(0, at - _BACK) : at]))


@dataclass(frozen=True)
class Decoded:
    """A text as it is read.

    Attributes:
        text: Without its codes.
        at: Where it begins in the whole text.
        codes: Of each code: where it would stand in `text`, what it was, how much longer the whole text is behind it.
    """

    text: str
    at: int
    codes: tuple[tuple[int, str, int], ...]

    @property
    def gaps(self) -> frozenset[int]:
        """Characters before which a code was taken out."""
        return frozenset(place for place, shown, _ in self.codes if not shown)

    @property
    def joins(self) -> bool:
        """Whether a word may be longer here than it looks where it is written: not all codes are blanks."""
        return any(shown.strip(_BETWEEN) or not shown for _, shown, _ in self.codes)

    def start(self, place: int) -> int:
        """Where in the whole text a character begins."""
        return self._whole(place, bisect_right(self.codes, place, key=itemgetter(0)))

    def end(self, place: int) -> int:
        """Where in the whole text a character ends."""
        last = bisect_right(self.codes, place, key=itemgetter(0))
        of_code = last and self.codes[last - 1][1] and self.codes[last - 1][0] == place
        return self._whole(place + 1, last) if of_code else self.start(place) + 1

    def _whole(self, place: int, codes: int) -> int:
        return self.at + place + (self.codes[codes - 1][2] if codes else 0)


def without_colour(text: str) -> Decoded:
    """A text without what has no width: terminal codes above all."""
    others = any(one in text for one in _NO_WIDTH)
    if not others and "\x1b" not in text:
        return Decoded(text, 0, ())
    return _decode(text, [(0, len(text))], _ZERO.finditer if others else _terminal_codes)


def _terminal_codes(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Codes of the terminal; they are few, and a text with wide letters is searched far more quickly for one letter."""
    at = text.find("\x1b", start, end)
    while at >= 0:
        code = _ONLY_TERMINAL.match(text, at, end)
        if code:
            yield code
        at = text.find("\x1b", code.end() if code else at + 1, end)


def decoded(text: str, plain: str) -> Decoded | None:
    """The lines that hold a code, as they are read, one below the other; a line with a dot stands for all between.

    Args:
        text: The text.
        plain: The same `in_ascii`.
    """
    stretches: list[tuple[int, int]] = []
    plain, any_code = (text, _ANY_CODE) if "␛" in text else (plain, _ANY_ASCII)
    at = 0
    while code := any_code.search(plain, at):
        start = max(plain.rfind("\n", at, code.start()), plain.rfind("\r", at, code.start()), at - 1) + 1
        at = code.end()
        while (at := _line_end(plain, at)) < len(plain) and plain[at - 1] == "=":
            at = at + (2 if plain[at : at + 2] == "\r\n" else 1)
        if _may_tell(plain[start : at + 1]):
            if stretches and stretches[-1][1] + 1 == start:
                start = stretches.pop()[0]
            stretches.append((start, at))
        at += 1
    return _decode(text, stretches, _CODE.finditer) if stretches else None


_HEX_DIGITS = bytes(120 if chr(byte) in "0123456789abcdefABCDEF" else 32 for byte in range(256))
_LEAST_HEX = 20
_HEX_TEXT = re.compile(rf"(?<![0-9a-fA-F])(?:[2-7][0-9a-fA-F]|0[9aAdD]){{{_LEAST_HEX // 2},}}+(?![0-9a-fA-F])")
_PAIR = re.compile("(?P<hexpair>..)")


def from_hex(plain: str) -> Decoded | None:
    """What a text in ASCII spells in hex, each text below the other: bytes that are all printed characters or blanks.

    A digest of 40 digits is that by a chance of one in a hundred millions.
    """
    digits = plain.encode("ascii").translate(_HEX_DIGITS)
    if b"x" * _LEAST_HEX not in digits:
        return None
    spelt = [found.span() for found in _HEX_TEXT.finditer(plain)]
    return _decode(plain, spelt, _PAIR.finditer) if spelt else None


def _may_tell(line: str) -> bool:
    small = line.lower()
    for word in _MAY:
        if word in small:
            return True
    return bool(_MAY_BE.search(line))


def _line_end(text: str, at: int) -> int:
    """Where the line that holds a place ends."""
    new = text.find("\n", at)
    new = len(text) if new < 0 else new
    back = text.find("\r", at, new)
    return new if back < 0 else back


def _decode(text: str, stretches: Sequence[tuple[int, int]], codes_of: _Codes) -> Decoded:
    parts: list[str] = []
    codes: list[tuple[int, str, int]] = []
    done, size, more = stretches[0][0], 0, 0
    first = done
    for start, end in stretches:
        found = [(code.start(), code.end(), _read(code)) for code in codes_of(text, start, end)]
        if start > done:
            found.insert(0, (done, start, _BETWEEN))
        for begin, stop, shown in found:
            parts += (text[done:begin], shown)
            size += begin - done
            more += stop - begin - len(shown)
            codes.append((size, shown, more))
            size += len(shown)
            done = stop
        parts.append(text[done:end])
        size += end - done
        done = end
    return Decoded("".join(parts), first, tuple(codes))


def _read(code: re.Match[str]) -> str:
    """What a code stands for; codes of the terminal and what has no width stand for nothing."""
    group = code.lastgroup or "gone"
    if group.startswith("gone"):
        return ""
    match group.partition("_")[0]:
        case "letter":
            return _LETTERS[code["letter"]]
        case "entity":
            return _ENTITIES[code["entity"]]
        case "octal":
            return _char(int(code["octal"], 8))
        case "dec":
            return _char(int(code["dec"]))
        case _:
            return _char(int(code[group], 16))


def _char(number: int) -> str:
    """Surrogates and the like are no text, and terminal codes that were escaped are taken out by a second look."""
    return chr(number) if number < 0xD800 else "?"
