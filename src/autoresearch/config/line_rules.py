"""From where ideas start, and whom to ask for one: a part of the campaign file."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LineagesConfig(BaseModel):
    """From where ideas start, and whom to ask for one; what the defaults rest on: `benchmarks/lineages`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parents: Literal["best", "archive"] = "best"
    """`best`: each idea starts from the best so far; `archive`: also from what was kept or nearly was, and from the
    baseline, as often as the noise leaves them a chance to be as good."""
    restart_after: int = Field(default=0, ge=0)
    """Ideas in a row without a keep after which one starts from the baseline again; 0: never."""
    cross_after: int = Field(default=0, ge=0)
    """Ideas after which a line that the best does not hold is put on top of it, without asking anybody; 0: never."""
    ask: Literal["shares", "gain"] = "shares"
    """`shares`: researchers are asked in the order written, or by their `share`; `gain`: by the credited gain that each
    has brought for what its calls and runs took, an agent or model being an entry of its own."""
    floor: float = Field(default=0.2, gt=0, le=1)
    """Under `ask: gain`, the part of all ideas that is shared out evenly whatever they bring."""
