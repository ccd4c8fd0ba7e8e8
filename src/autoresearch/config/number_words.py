"""Numbers spelt out in English, as people write small ones."""

import re

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBERS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * tens for tens, word in enumerate(_TENS, start=2)
}
_COMPOUND = re.compile(rf"(?<![\w-])({'|'.join(_TENS)})[ -]({'|'.join(_ONES[1:10])})(?![\w:/.@-])", re.IGNORECASE)
_SINGLE = re.compile(rf"(?<![\w:/.@-])({'|'.join(_NUMBERS)})(?![\w:/.@])(?!-(?!gpu|hour|day|minute))", re.IGNORECASE)
_IDIOMS = {
    r"half an hour": "30 minutes",
    r"half a day": "12 hours",
    r"an?(?= (?:hour|minute|day|week|dozen|hundred)\b)": "1",
    r"1 dozen": "12",
    r"1 hundred": "100",
}
_IDIOM_PATTERNS = [
    (re.compile(rf"(?<![\w:/.@-]){sign}(?![\w])", re.IGNORECASE), said) for sign, said in _IDIOMS.items()
]


def as_digits(text: str) -> str:
    """The text with `three` as 3, `twenty-four` as 24, `half an hour` as 30 minutes; everything else untouched."""
    text = _COMPOUND.sub(lambda found: str(_NUMBERS[found[1].lower()] + _NUMBERS[found[2].lower()]), text)
    text = _SINGLE.sub(lambda found: str(_NUMBERS[found[1].lower()]), text)
    for pattern, said in _IDIOM_PATTERNS:
        text = pattern.sub(said, text)
    return text
