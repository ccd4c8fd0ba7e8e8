"""Tokens that their makers gave a telling beginning, and any long mixed string after a word that says what it is.

A token is looked for in long unbroken words only, which keeps the many rules below as quick as one. What stands beside
it does not matter (`encodings.is_edge`), unless that makes it the middle of an ordinary word: `risk-based-...`.
"""

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from autoresearch.secrets.encodings import is_edge

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
    ("tvly- glpat- gldt- glrt- glcbt- glptt- glft- glimt- glsoat- glffct- glagent- tskey-", rf"{_ANY}{{16,}}"),
    ("wandb_v1_ github_pat_ lsv2_", rf"{_WORD}{{20,}}"),
    ("ghp_ gho_ ghu_ ghs_ ghr_", rf"{_WORD}{{20,}}"),
    ("AIza", rf"{_ANY}{{30,}}"),
    ("ya29. GOCSPX- dckr_pat_ dckr_oat_ figd_ sbp_ sb_secret_ nfp_ bkua_ CCIPAT_ CFPAT-", rf"{_ANY}{{20,}}"),
    ("pypi-", rf"{_ANY}{{50,}}"),
    ("eyJ", rf"{_ANY}{{8,4000}}+\.{_ANY}{{8,}}(?:\.{_ANY}*)?"),
    ("eyJhcGlf", r"[A-Za-z0-9+/=]{24,}"),
    ("dapi", rf"{_HEX}{{32}}(?:-\d)?"),
    ("dkea dose", rf"{_HEX}{{32}}"),
    ("SG.", rf"{_ANY}{{16,}}\.{_ANY}{{16,}}"),
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
    ("dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
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
    ("AAAAAAAAAAAAAAAAAAAA", r"[A-Za-z0-9%]{30,}"),
    ("1//0", rf"{_ANY}{{36,}}"),
)  # fmt: skip
"""Beginnings, and what follows each. Most are documented by their makers; all were written down for this file."""


def _by_letter() -> str:
    """One pattern for all, its branches parted by their first letter: a position costs a glance."""
    groups: dict[str, list[str]] = {}
    for prefixes, rest in _MAKERS:
        for prefix in prefixes.split():
            groups.setdefault(prefix[0], []).append(f"{re.escape(prefix[1:])}(?:{rest})")
    return "|".join(f"{re.escape(first)}(?:{'|'.join(rests)})" for first, rests in groups.items())


_TOKEN = re.compile(_by_letter())
_AT_EDGE = re.compile(f"(?<![A-Za-z])(?:{_by_letter()})")
_CAPITAL = re.compile("[A-Z]")
_LONG = re.compile(r"[A-Za-z0-9_.~+/=-]{20,}+")
_HASH = re.compile(r"[0-9a-f]+\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MIXED = re.compile(r"[A-Za-z0-9_~+/-]{20,}+={0,2}")
_SAYS = re.compile(
    r"(?P<name>[A-Za-z_-]*(?:key|token|secret|passw(?:or)?d|passphrase|credential)s?)(?P<glue>[\"'`\\]{0,4}"
    r"(?:[ \t]+(?:is|was|of|to|as|value|=|:))?[ \t]*[:=]?>?[ \t]*[\"'`\\(\[<]{0,4})\Z",
    re.IGNORECASE,
)
_TELLS = re.compile(
    "key|token|secret|passw|passp|credential|Key|Token|Secret|Passw|Passp|Credential|KEY|TOKEN|SECRET|PASSW|PASSP|CREDENTIAL"
)
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


def tokens(text: str, gaps: Collection[int] = ()) -> Iterator[Span]:
    """Where tokens are.

    Args:
        text: What to look through.
        gaps: Places before which an encoding was taken out: a token may begin there.
    """
    for word in _LONG.finditer(text):
        start, end = word.span()
        if not _HASH.match(text, start, end):
            # Behind a letter a token is worth a look only where that may end a code, or where the word is mixed.
            mixed = gaps or text[start - 1 : start] in _OF_CODES or _CAPITAL.search(text, start, end)
            if hit := (_TOKEN if mixed else _AT_EDGE).search(text, start, end):
                yield from _in_word(text, hit, end, gaps)
        if (text[start] != "/" or "=" in word[0]) and _TELLS.search(text, max(0, start - _CONTEXT), end):
            yield from _told_by_context(text, start, end)


def _in_word(text: str, hit: re.Match[str] | None, end: int, gaps: Collection[int]) -> Iterator[Span]:
    while hit:
        taken = is_edge(text, hit.start(), gaps) or _is_mixed(hit[0])
        if taken:
            yield hit.span()
        hit = _TOKEN.search(text, hit.end() if taken else hit.start() + 1, end)


def _is_mixed(token: str) -> bool:
    """Whether letters and digits change so often that nobody wrote this as a word."""
    rest = token[4:]
    return len(rest) >= 24 and _changes(rest) * 4 >= len(rest) and rest.lower() != rest != rest.upper()


def _changes(value: str) -> int:
    kinds = [1 if c.isdigit() else 2 if c.isupper() else 3 for c in value if c.isalnum()]
    return sum(one != other for one, other in pairwise(kinds))


def _told_by_context(text: str, start: int, end: int) -> Iterator[Span]:
    for value in _MIXED.finditer(text, start, end):
        said = _SAYS.search(text[max(0, value.start() - _CONTEXT) : value.start()])
        if said and said["glue"] and is_machine_made(value[0]) and _weighs(said, value[0]):
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
