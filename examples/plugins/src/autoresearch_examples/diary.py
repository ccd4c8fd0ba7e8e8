"""A diary in Markdown: one line per verdict, for a wiki, a shared folder, or a terminal that shows its end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from autoresearch.errors import CampaignError
from autoresearch.experiment.events import CampaignEnded, CampaignStarted, Event, ExperimentJudged, Noted


class Diary:
    """Appends to a file.

    Options:
        path: The file. Default `diary.md` in the tracker's own folder, which is in the campaign's.
    """

    name = "diary"

    def __init__(self, *, options: Mapping[str, object]) -> None:
        unknown = set(options) - {"folder", "path"}  # folder: ours alone, given in any case
        if unknown:
            raise CampaignError(f"tracker 'diary' has no option {min(unknown)!r}; it knows: path")
        self._path = Path(str(options["folder"]), str(options.get("path", "diary.md")))

    def tell(self, event: Event) -> None:
        """One line, unless it is there already: an event comes twice when a controller was killed meanwhile."""
        words = _words(event)
        if not words:
            return
        line = f"{datetime.fromtimestamp(event.at, UTC):%Y-%m-%d %H:%M:%S}  {' '.join(words.split())}\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+", encoding="utf-8", errors="replace") as diary:
            diary.seek(0)
            if line not in diary:
                diary.write(line)


def _words(event: Event) -> str:
    """What to write about an event; nothing for the kinds that a diary leaves out, and for those yet to come."""
    match event:
        case CampaignStarted():
            return f"# {event.campaign}"
        case ExperimentJudged(verdict=verdict):
            value = "no value" if verdict.value is None else f"{verdict.value:.6g}"
            return f"**{verdict.status}** {event.name}: {value}, {verdict.reason}"
        case Noted():
            return f"note: {event.text}"
        case CampaignEnded():
            return f"ended: {event.reason}"
        case _:
            return ""
