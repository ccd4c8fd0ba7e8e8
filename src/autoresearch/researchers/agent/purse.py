"""What the calls of one agent have cost, and what a further one may: shared by all that are asked at once."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from autoresearch.machine import disk
from autoresearch.researchers.agent.options import AgentOptions

_MOST_BLIND = 3
"""Calls of unknown cost after which a bound counts as reached."""

_MANY = 1000


class Purse:
    """The sums in `spent.json`, and the calls that are under way.

    Args:
        folder: The researcher's own.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._lock, self._under_way = folder / "spent.json", Lock(), 0
        self._opened = False
        self.told: set[str] = set()
        """What is told once, however many are asked."""

    def spent(self) -> Mapping[str, float]:
        """Money, tokens, calls that do not say what they cost, and the dearest call, by name; empty for nothing."""
        try:
            found = json.loads(self._file.read_bytes())
            return {str(key): float(value) for key, value in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def pay(self, usd: float | None, tokens: int, *, worked: bool) -> None:
        """Add a call: what it cost, None where nobody knows; one that did not work need not say."""
        with self._lock:
            spent = self.spent()
            document = {
                "usd": round(spent.get("usd", 0.0) + (usd or 0.0), 6),
                "tokens": spent.get("tokens", 0) + tokens,
                "blind": spent.get("blind", 0) + (usd is None and worked),
                "dearest_usd": max(spent.get("dearest_usd", 0.0), usd or 0.0),
                "dearest_tokens": max(spent.get("dearest_tokens", 0), tokens),
            }
            self._keep(document)

    def lost(self) -> tuple[int, float | None, str]:
        """Calls that were under way when whoever made them was killed, what each counts as, and in words; told once.

        That is the dearest call so far, in money and tokens; None, and of unknown cost, while no call had a price.
        """
        with self._lock:
            spent = dict(self.spent())
            calls = 0 if self._opened else int(spent.get("under_way", 0))
            self._opened = True
            if not calls:
                return 0, None, ""
            usd = spent.get("dearest_usd", 0.0)
            spent["usd"] = round(spent.get("usd", 0.0) + calls * usd, 6)
            spent["tokens"] = spent.get("tokens", 0) + calls * spent.get("dearest_tokens", 0)
            spent["blind"] = spent.get("blind", 0) + (0 if usd else calls)
            self._keep(spent)
        worth = f"{usd:.2f} USD, as the dearest so far," if usd else "of unknown cost"
        told = f"counted as {worth} each"
        return calls, usd or None, f"calls under way when the controller was killed: {calls}, {told}"

    @contextmanager
    def call(self, most_usd: float | None) -> Iterator[float | None]:
        """A call; what it may cost, None for no limit: what is left, less the dearest so far for each that goes on."""
        with self._lock:
            spent = self.spent()
            kept = self._under_way * spent.get("dearest_usd", 0.0)
            self._under_way += 1
            self._keep(spent)
        try:
            yield None if most_usd is None else most_usd - spent.get("usd", 0.0) - kept
        finally:
            with self._lock:
                self._under_way -= 1
                self._keep(self.spent())

    def _keep(self, document: Mapping[str, float]) -> None:
        """Write the sums, and how many calls are under way: one that reads more than it made knows of killed ones."""
        text = json.dumps({**document, "under_way": self._under_way}, indent=2)
        disk.replace(self._file, text + "\n")

    def at_once(self, options: AgentOptions) -> int:
        """How many calls its bounds leave room for, each as dear as the dearest so far; one while that is unknown."""
        spent, found = self.spent(), [_MANY]
        for most, key in ((options.max_cost_usd, "usd"), (options.max_tokens, "tokens")):
            if most is not None:
                dearest = spent.get(f"dearest_{key}", 0.0)
                found.append(int((most - spent.get(key, 0.0)) / dearest) if dearest else 1)
        return max(1, min(found))

    def used_up(self, options: AgentOptions) -> str:
        """Why it may not be called again, in words; empty while it may. A bound that cannot be kept is reached."""
        spent, most, tokens = self.spent(), options.max_cost_usd, options.max_tokens
        if most is not None and spent.get("usd", 0.0) >= most:
            return f"has used up its {most:g} USD"
        if tokens is not None and spent.get("tokens", 0) >= tokens:
            return f"has used up its {tokens} tokens"
        if most is not None and spent.get("blind", 0) >= _MOST_BLIND:
            return (
                f"has a bound of {most:g} USD, and {_MOST_BLIND} of its calls say neither what they cost nor a model "
                "with a known price: name its price in `prices`, or bound it with `max_tokens` or `limit`"
            )
        if tokens is not None and spent.get("blind", 0) >= _MOST_BLIND and not spent.get("tokens"):
            return f"has a bound of {tokens} tokens and does not say how many it used: bound it with `limit`"
        return ""
