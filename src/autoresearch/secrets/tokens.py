"""Tokens that their makers gave a telling beginning, and any long mixed string after a word that says what it is.

A token is looked for in long unbroken words only, which keeps the many rules below as quick as one. What stands beside
it does not matter (`encodings.is_edge`), unless that makes it the middle of an ordinary word: `risk-based-...`.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from functools import cache
from itertools import pairwise

from autoresearch.secrets.encodings import in_ascii, is_edge

Span = tuple[int, int]

_ANY, _WORD, _PLAIN, _HEX = "[A-Za-z0-9_-]", "[A-Za-z0-9_]", "[A-Za-z0-9]", "[0-9a-f]"
_DIGIT = r"(?=[A-Za-z_-]{0,60}[0-9])"

_MAKERS: tuple[tuple[str, str], ...] = (
    ("hf_ api_org_", rf"{_PLAIN}{{20,}}"),
    ("sk-", rf"{_DIGIT}{_ANY}{{20,}}"),
    ("csk- gsk_ xai- pplx- r8_ fw_ llx- jina_ tgp_v1_ esecret_ pcsk_ rpa_", rf"{_WORD}{{20,}}"),
    ("npm_", rf"{_PLAIN}{{36}}"),
    ("sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_", rf"{_PLAIN}{{16,}}"),
    ("M N O", rf"{_ANY}{{23,27}}\.{_ANY}{{6}}\.{_ANY}{{27,}}"),
    ("pat", rf"{_PLAIN}{{14}}\.{_HEX}{{64}}"),
    ("nvapi-", rf"{_ANY}{{20,}}"),
    ("tvly- glpat- gldt- glrt- glcbt- glptt- glft- glimt- glsoat- glffct- glagent- gloas- tskey-", rf"{_ANY}{{16,}}"),
    ("wandb_v1_ github_pat_ lsv2_", rf"{_WORD}{{20,}}"),
    ("ghp_ gho_ ghu_ ghs_ ghr_", rf"{_WORD}{{20,}}"),
    ("AIza", rf"{_ANY}{{30,}}"),
    ("ya29. GOCSPX- dckr_pat_ dckr_oat_ figd_ sbp_ sb_secret_ nfp_ bkua_ CCIPAT_ CFPAT-", rf"{_ANY}{{20,}}"),
    ("pypi-", rf"{_ANY}{{50,}}"),
    ("eyJ", rf"{_ANY}{{8,4000}}+\.{_ANY}{{8,}}(?:\.{_ANY}*)?"),
    ("eyJhcGlf", r"[A-Za-z0-9+/=]{24,}"),
    ("dapi", rf"{_HEX}{{32}}(?:-\d)?"),
    ("dkea dose", rf"{_HEX}{{32}}"),
    ("SG.", rf"(?:{_ANY}{{16,}}\.{_ANY}{{16,}}|[\w=.-]{{60,}})"),
    ("hvs. hvb. hvr.", rf"{_ANY}{{20,}}"),
    ("dop_v1_ doo_v1_ dor_v1_", rf"{_HEX}{{40,}}"),
    ("AGE-SECRET-KEY-1 age-secret-key-1", rf"{_PLAIN}{{40,}}"),
    ("AGE-PLUGIN-", r"[A-Z0-9-]{40,}"),
    ("ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_=-]{20,}"),
    ("ntn_ secret_", rf"{_PLAIN}{{40,}}"),
    ("lin_api_ glsa_ sntryu_ sntrys_ pnu_ rubygems_ figo_ rdme_ shippo_live_ shippo_test_", r"[A-Za-z0-9_+/=]{30,}"),
    ("glc_ whsec_ ops_ fm1_ fm2_ fm1a_ fm1r_ fo1_", r"[A-Za-z0-9_+/=-]{30,}"),
    ("shpat_ shpca_ shppa_ shpss_", r"[0-9a-fA-F]{32}"),
    ("pul-", rf"{_HEX}{{40}}"),
    ("PMAK-", rf"{_HEX}{{24}}-{_HEX}{{34}}"),
    ("NRAK- NRII- NRJS- NRRA-", rf"{_ANY}{{19,}}"),
    ("pscale_tkn_ pscale_oauth_ pscale_pw_", r"[\w.=-]{32,}"),
    ("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}"),
    ("dt0c01.", rf"{_PLAIN}{{24}}\.{_PLAIN}{{64}}"),
    ("HRKU-", rf"{_ANY}{{36,}}"),
    ("xkeysib- xsmtpsib-", rf"{_HEX}{{40,}}-{_PLAIN}{{16,}}"),
    ("sha256~", rf"{_ANY}{{40,}}"),
    ("sq0atp- sq0csp- sq0idp-", rf"{_ANY}{{22,}}"),
    ("LTAI", rf"{_PLAIN}{{16,}}"),
    ("AKID", rf"{_PLAIN}{{32}}"),
    ("ABSK", r"[A-Za-z0-9+/=]{80,}"),
    ("AKCp", rf"{_PLAIN}{{60,}}"),
    ("e2b_", rf"{_HEX}{{40}}"),
    ("fc- local- key-", rf"(?:(?<=local-){_HEX}{{40}}|(?<!local-){_HEX}{{32}})(?![0-9a-f])"),
    ("ak- as-", r"(?=[a-z]*[A-Z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{22}(?![A-Za-z0-9-])"),
    ("pa-", r"(?=[a-z_-]*[A-Z])(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{43}(?![A-Za-z0-9-])"),
    ("xapp-", r"[0-9]-[A-Za-z0-9-]{16,}"),
    ("1//0", rf"{_ANY}{{36,}}"),
    ("A3-", r"[A-Z0-9]{6}(?:-[A-Z0-9]{5,11}){3,5}"),
    ("ACCA A3T", r"[A-Z0-9]{16,17}(?![A-Za-z0-9])"),
    ("API-", r"[A-Z0-9]{26}(?![A-Za-z0-9])"),
    ("AQVN", rf"{_ANY}{{35,}}"),
    ("CLOJARS_", rf"{_PLAIN}{{50,}}"),
    ("EAA", rf"{_PLAIN}{{80,}}"),
    ("EAAA", rf"{_ANY}{{22,60}}(?![A-Za-z0-9_-])"),
    ("EZAK EZTK", rf"{_PLAIN}{{50,}}"),
    ("FLWSECK-", r"[0-9a-f]{32}-[0-9a-zA-Z-]{3,}"),
    ("FLWSECK_TEST-", rf"{_PLAIN}{{12,}}(?:-X)?"),
    ("GR1348941", rf"{_ANY}{{20,}}"),
    ("SK", r"[0-9a-fA-F]{32}(?![0-9a-zA-Z])"),
    ("YC", rf"(?=[a-z]*[A-Z])(?=[A-Za-z]*[0-9]){_ANY}{{38}}(?![A-Za-z0-9_-])"),
    ("ZXlK", r"[A-Za-z0-9+/=_-]{40,}"),
    ("4b1d", rf"(?=[a-z0-9]*[A-Z]){_PLAIN}{{38}}(?![A-Za-z0-9])"),
    ("access-sandbox- access-development- access-production-", rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"),
    ("bedrock-api-key-", r"[A-Za-z0-9+/=]{20,}"),
    ("cmVmd", rf"{_PLAIN}{{59,}}"),
    ("dnkey-", r"[\w=-]{26}-[\w=-]{50,}"),
    ("duffel_test_ duffel_live_", r"[\w=-]{40,}"),
    ("fio-u-", r"[\w=-]{60,}"),
    ("ico-", rf"(?=[a-z]*[A-Z0-9]){_PLAIN}{{32}}(?![A-Za-z0-9])"),
    ("p8e-", rf"{_PLAIN}{{32}}"),
    ("pat. sat.", rf"{_ANY}{{22}}\.{_PLAIN}{{24}}\.{_PLAIN}{{20}}"),
    ("s-s4t2ud- s-s4t2af-", rf"{_HEX}{{64}}"),
    ("s.", rf"(?=[A-Za-z]*[0-9])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z]){_PLAIN}{{24}}(?![A-Za-z0-9._-])"),
    ("sc_ ext_ scauth_ authress_", r"[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,}"),
    ("sgp_", r"(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}"),
    ("sm_aat_ sm_pat_ sm_sat_", rf"{_PLAIN}{{16,}}"),
    ("eyJrIjoi", r"[A-Za-z0-9+/=]{40,}"),
    ("sl.", r"[\w=-]{100,}"),
    ("sqa_ sqp_ squ_", rf"(?=[a-z]*[0-9A-Z]){_PLAIN}{{40}}(?![A-Za-z0-9])"),
    ("t1.", r"[A-Za-z0-9_-]+={0,2}\.[A-Za-z0-9_-]{80,}={0,2}"),
    ("tfp_", r"[\w.=-]{40,}"),
    ("tk-us-", rf"{_ANY}{{48,}}"),
    ("v1.0-", rf"{_HEX}{{24}}-{_HEX}{{146}}"),
)  # fmt: skip
"""Beginnings, and what follows each. Most are documented by their makers; all were written down for this file."""


def _by_letter() -> str:
    """One pattern for all, its branches parted by their first letter: a position costs a glance."""
    groups: dict[str, list[str]] = {}
    for prefixes, rest in _MAKERS:
        for prefix in prefixes.split():
            groups.setdefault(prefix[0], []).append(f"{re.escape(prefix[1:])}(?:{rest})")
    return "|".join(f"{re.escape(first)}(?:{'|'.join(rests)})" for first, rests in groups.items())


@cache
def _token() -> re.Pattern[str]:
    """A token; compiled for the first long word, because a program that starts should not wait for it."""
    return re.compile(_by_letter())


@cache
def _token_behind_no_letter() -> re.Pattern[str]:
    return re.compile(f"[^A-Za-z](?:{_by_letter()})")


_OF_WORDS = "A-Za-z0-9_.~+/=-"
_LONG = re.compile(
    rf"(?:[{_OF_WORDS}]{{0,19}}+[^{_OF_WORDS}]++)*+(?:(?P<word>[{_OF_WORDS}]{{20,}}+)|[{_OF_WORDS}]{{0,19}}+\Z)"
)
"""Whatever is shorter up to the next long word, or to the end: to look for a word at each place takes twice as long."""
_HASH = re.compile(r"[0-9a-f]+\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MIXED = re.compile(r"[A-Za-z0-9_~+/-]{20,}+={0,2}")
_SAYS = re.compile(
    r"(?P<name>[A-Za-z_-]*(?:key|token|secret|passw(?:or)?d|passphrase|credential)s?)(?P<glue>[\"'`\\]{0,4}"
    r"(?:[ \t]+(?:is|was|of|to|as|value|=|:))?[ \t]*[:=]?>?[ \t]*[\"'`\\(\[<]{0,4})\Z",
    re.IGNORECASE,
)
_TELLS = ("key", "token", "secret", "passw", "passp", "credential")
_SURELY = re.compile(
    r"(?:api|access|auth|private|signing|account|appending|login|wandb|your)\W{0,4}key|secret|passw|passphrase|credential|login",
    re.IGNORECASE,
)
_OTHER = frozenset({
    "audio", "bos", "cache", "cls", "column", "config", "dict", "end", "eos", "foreign", "group", "host", "index",
    "mask", "metric", "mon", "tur", "don", "pad", "param", "partition", "primary", "public", "row", "sort", "state",
    "unk",
})  # fmt: skip
_CONTEXT = 64
_OF_CODES = frozenset("\\[;%")


_MOST, _SHORT = 50_000, 80
_harmless: set[tuple[str, bool]] = set()
"""Words that no token begins in, and whether that was asked at every letter: a log says the same ones for hours."""


def tokens(text: str, gaps: Collection[int] = ()) -> Iterator[Span]:
    """Where tokens are.

    Args:
        text: What to look through.
        gaps: Places before which an encoding was taken out: a token may begin there.
    """
    plain = in_ascii(text)
    told = _told(plain)
    for word in _LONG.finditer(plain):
        value, start = word["word"], word.start("word")
        if not value:
            break
        end = word.end()
        # Behind a letter a token is worth a look only where that may end a code, or where the word is mixed.
        mixed = bool(gaps) or plain[start - 1 : start] in _OF_CODES or value.lower() != value
        if (value, mixed) not in _harmless and _may_hold(value, mixed=mixed):
            yield from _in_word(text, _token().search(text, start, end), end, gaps)
        if told and (value[0] != "/" or "=" in value) and _is_told(told, start - _CONTEXT, end):
            yield from _told_by_context(text, start, end)


def _may_hold(word: str, *, mixed: bool) -> bool:
    """Whether a token begins in a word: anywhere in a mixed one, else behind no letter."""
    if not _HASH.match(word) and (_token().search(word) if mixed else _begins_with_or_behind_no_letter(word)):
        return True
    if len(word) <= _SHORT:  # a run prints what it likes, and memory is ours
        if len(_harmless) >= _MOST:
            _harmless.clear()
        _harmless.add((word, mixed))
    return False


def _begins_with_or_behind_no_letter(word: str) -> bool:
    return bool(_token().match(word) or _token_behind_no_letter().search(word))


def _told(plain: str) -> list[int]:
    """Where words stand that tell of a secret, sorted."""
    small = plain.lower()
    found: list[int] = []
    for word in _TELLS:
        at = small.find(word)
        while at >= 0:
            found.append(at)
            at = small.find(word, at + 1)
    return sorted(found)


def _is_told(told: list[int], start: int, end: int) -> bool:
    place = bisect_left(told, start)
    return place < len(told) and told[place] < end


def _in_word(text: str, hit: re.Match[str] | None, end: int, gaps: Collection[int]) -> Iterator[Span]:
    while hit:
        taken = is_edge(text, hit.start(), gaps) or _is_mixed(hit[0])
        if taken:
            yield hit.span()
        hit = _token().search(text, hit.end() if taken else hit.start() + 1, end)


def _is_mixed(token: str) -> bool:
    """Whether letters and digits change so often that nobody wrote this as a word."""
    rest = token[4:]
    return len(rest) >= 24 and _changes(rest) * 4 >= len(rest) and rest.lower() != rest != rest.upper()


def _changes(value: str) -> int:
    kinds = [1 if c.isdigit() else 2 if c.isupper() else 3 for c in value if c.isalnum()]
    return sum(one != other for one, other in pairwise(kinds))


def _told_by_context(text: str, start: int, end: int) -> Iterator[Span]:
    for value in _MIXED.finditer(text, start, end):
        if not is_machine_made(value[0]):
            continue
        said = _SAYS.search(text[max(0, value.start() - _CONTEXT) : value.start()])
        if said and said["glue"] and _weighs(said, value[0]):
            yield value.span()


def _weighs(said: re.Match[str], value: str) -> bool:
    name = re.split(r"[_-]", said["name"].lower())
    context = said.string.split("\n")[-1]
    own = re.sub(r"(?:key|token|secret|passw(?:or)?d|passphrase|credential)s?\Z", "", name[-1])
    before = own or (name[-2] if len(name) > 1 else context[: said.start()].lower().rstrip().rpartition(" ")[2])
    if before in _OTHER:
        return False
    return not _HASH.match(value) or bool(_SURELY.search(context))


def is_machine_made(value: str) -> bool:
    """Whether a word is long and mixed as only machines write them: no path, no UUID, no name with a version in it."""
    digits = sum(c.isdigit() for c in value)
    if len(value) < 20 or digits < 2 or digits > len(value) - 2 or value[0] in "/~" or _UUID.fullmatch(value):
        return False
    return _changes(value) * 5 >= len(value) and value.count("/") * 8 <= len(value)
