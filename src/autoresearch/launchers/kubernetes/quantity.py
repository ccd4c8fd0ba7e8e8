"""Amounts as Kubernetes writes them: `8`, `500m`, `16Gi`. Pure."""

import re
from decimal import Decimal, InvalidOperation

_UNITS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15,
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTP", start=1)},
}  # fmt: skip
_AMOUNT = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)")


def amount(text: str) -> Decimal | None:
    """An amount as a number, None when it is none."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2] not in _UNITS:
        return None
    try:
        return Decimal(found[1]) * _UNITS[found[2]]
    except InvalidOperation:
        return None


def over_its_limit(said: str) -> bool:
    """Whether a sentence about a quota asks for more than there ever is, even when nothing else uses it."""
    found = re.search(r"requested: (.*?), used: .*?, limited: ([^;\s]+(?:, ?[^;\s]+)*)", said)
    if found is None:
        return False
    asked, allowed = _amounts(found[1]), _amounts(found[2])
    return any(name in allowed and need > allowed[name] for name, need in asked.items())


def _amounts(text: str) -> dict[str, Decimal]:
    pairs = (one.partition("=") for one in text.split(","))
    known = ((name.strip(), amount(value)) for name, _, value in pairs)
    return {name: value for name, value in known if value is not None}
