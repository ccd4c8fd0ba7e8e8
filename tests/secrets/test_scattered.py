"""A known secret is found whatever stands between its characters, backwards, and in codes of codes; little else is."""

import base64
import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.secrets.redactor import Cleaner, Redactor

VALUE = "sk9-Zt5Tz8kWqYr20LmNoPq"
KNOWS = Redactor([VALUE, "hunter2-5Tz8kWqYr20"])
NUMBERS = "".join(f"{one}\n" for one in VALUE.encode())
FORMS = {
    "over two lines": f"{VALUE[:9]}\n{VALUE[9:]}",
    "over three, indented and quoted": f'  "{VALUE[:6]}"\n  "{VALUE[6:12]}"\n  "{VALUE[12:]}"',
    "a line break in JSON": json.dumps({"text": f"{VALUE[:9]}\n{VALUE[9:]}"}),
    "a line break in a repr": repr(f"{VALUE[:9]}\r\n{VALUE[9:]}"),
    "backwards": VALUE[::-1],
    "letter by letter": " ".join(VALUE),
    "a list of letters": str(list(VALUE)),
    "hex with blanks": VALUE.encode().hex(" "),
    "hex with colons": VALUE.encode().hex(":").upper(),
    "percent codes of escapes": "".join(f"%5Cx{ord(one):02x}" for one in VALUE),
    "the repr of UTF-16": repr(VALUE.encode("utf-16")),
    "base64 over lines": textwrap.fill(base64.b64encode(VALUE.encode()).decode(), 16),
    "base64 over lines, quoted": json.dumps(textwrap.wrap(base64.b64encode(VALUE.encode()).decode(), 9), indent=2),
    "base32": base64.b32encode(VALUE.encode()).decode(),
    "base32 over lines": textwrap.fill(base64.b32encode(VALUE.encode()).decode(), 16),
    "a list of numbers": str(list(VALUE.encode())),
    "numbers, one a line": "\n".join(map(str, VALUE.encode())),
    "base32 in small letters": base64.b32encode(VALUE.encode()).decode().lower(),
    "base64 backwards": base64.b64encode(VALUE.encode()).decode()[::-1],
    "an array of C": ", ".join(map(hex, VALUE.encode())),
    "numbers in columns": textwrap.fill(" ".join(f"{one:4}" for one in VALUE.encode()), 40),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_a_known_secret_is_found_in_pieces(text):
    """Nothing of it is left that could be put together again, and what stands around it stays."""
    cleaned = KNOWS.clean(f"before {text} after")
    assert "[redacted]" in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert len(cleaned) < 60


@pytest.mark.parametrize(
    "encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode], ids=["64", "url", "32"]
)
@pytest.mark.parametrize("before", range(5))
def test_a_known_secret_is_found_in_the_code_of_a_text_around_it(encode, before):
    """Wherever it begins there, and wherever the code is broken into lines but in its first characters."""
    text = encode(b"x" * before + VALUE.encode() + b" and more").decode()
    pieces = KNOWS.clean("\n".join(textwrap.wrap(text, 19))).split("[redacted]")
    assert len(pieces) == 2
    assert len("".join(pieces)) < len(text) - len(VALUE)


@pytest.mark.parametrize("text", [
    "sk9 Zt5Tz8kWqYr 20LmNoP", f"{VALUE[:3]}\n{VALUE[3:]}", f"{VALUE[:9]}{' ' * 41}{VALUE[9:]}", "1 2 3 4 5 6 7 8 9 0 1 2",
])  # fmt: skip
def test_what_is_not_all_of_it_or_too_far_apart_is_not(text):
    """Three characters before a line's end are too few to hold the line back for, and numbers are no secret."""
    assert Redactor([VALUE, "123456789012"]).clean(text) == text


@given(st.lists(st.sampled_from(["a\n", "loss 1\n", "\r", VALUE[0], VALUE[:5], VALUE[5:], VALUE[5:] + "\n", VALUE[::-1], "\n", NUMBERS[:7], NUMBERS[7:]])),
       st.integers(1, 9))  # fmt: skip
def test_a_stream_is_cleaned_as_its_whole_is(parts, size):
    """Wherever its pieces begin: a line that may go on in the next one is held until that is there."""
    text, cleaner = "".join(parts), Cleaner(KNOWS)
    pieces = [cleaner.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join(pieces) + cleaner.close() == KNOWS.clean(text)


def test_a_line_is_held_for_a_secret_that_may_go_on_and_for_nothing_else():
    """Whoever follows a log sees each line as soon as it is whole."""
    cleaner = Cleaner(KNOWS)
    assert cleaner.feed("step 1 loss 0.3 sk\n") == "step 1 loss 0.3 sk\n"
    assert cleaner.feed(f"step 2 {VALUE[:8]}\n") == ""
    assert cleaner.feed("step 3\n") == f"step 2 {VALUE[:8]}\nstep 3\n"
