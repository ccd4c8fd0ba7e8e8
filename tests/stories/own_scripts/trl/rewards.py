"""What an answer earns."""


def digits(completions: list[str], **_: object) -> list[float]:
    """The share of an answer that is digits."""
    return [sum(letter.isdigit() for letter in text) / max(len(text), 1) for text in completions]
