"""What every policy advises on some thousand boards, word for word as it was agreed.

The boards are those of simulated campaigns, dressed up with what the simulator does not invent (keys, seeds asked for,
runs that crash, end early or are too small, conflicts, samples, a person who overrules), and random ones that no campaign
would make. `python tests/verdict/test_policy_advice.py` accepts a change; the golden file's difference shows which boards it
touches, and in full the first board on which each policy says each kind of thing.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from autoresearch.errors import CampaignError
from autoresearch.experiment.board import Advice, Board, Bundle, Done, Idea, PolicySettings, Settle, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.claims import claims
from autoresearch.verdict.drift import drift
from autoresearch.verdict.policies import policy
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import run_campaign

GOLDEN = Path(__file__).parents[1] / "golden" / "policy_advice.json"
NAMES = ("auto", "greedy", "screening", "sequential", "strict")
JUDGES = {name: policy(name) for name in NAMES}
UP, DOWN = Objective("more", "score"), Objective("less", "loss", Direction.MINIMIZE)

CUSTOMS = ("plain", "keyed", "shaky", "sampled", "conflicting", "downwards", "exhausted", "overruled")
NOISES = (0.001, 0.01, 0.5, 0.9, 1.3, 2.5)
SETTINGS = (
    PolicySettings(worth=1.0),
    PolicySettings(),
    PolicySettings(worth=0.25, max_runs=3, first_seed=7),
    PolicySettings(worth=1.0, confirm=0.0, baseline_runs=1),
    PolicySettings(worth=2.0, max_runs=1, confirm=0.4),
    PolicySettings(worth=1.0, baseline_runs=4),
    PolicySettings(worth=0.0, max_runs=5),
)
BUDGETS = ((24, None), (60, None), (None, 6), (50, 8), (9, None), (40, 14))
"""Runs and experiments."""

PURPOSES = (
    Purpose.BASELINE, Purpose.EXPLORE, Purpose.REPEAT, Purpose.BASELINE,
    Purpose.ANCHOR, Purpose.SCREEN, Purpose.CONFIRM, Purpose.ABLATE,
)  # fmt: skip
STATUSES = (Status.KEEP, Status.DISCARD, Status.CRASH)
"""In an order of their own: what is drawn must not depend on what there is to draw from elsewhere."""

RECORDED = ("base", "builds", "decay", "drift", "heavy", "interactions", "null", "sparse")
"""Streams of the recorded campaigns; a stream that comes later must not draw others."""

MOST_BOARDS = 150
RANDOM_BOARDS = 1500


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def rounded(value: object) -> object:
    """Six digits: the last ones of a sum depend on the Python that adds it up."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def told(advice: Advice) -> str:
    """One piece of advice in full, on one line."""
    fields = {name: value for name, value in asdict(advice).items() if name not in {"free", "crosses"}}
    if isinstance(advice, Settle):
        fields["verdict"] = {key: rounded(value) for key, value in fields["verdict"].items()}
    return f"{type(advice).__name__} {json.dumps(fields)}"


def all_told(board: Board) -> dict[str, str]:
    return {name: told(judge.advise(board)) for name, judge in JUDGES.items()}


def chance(share: float, *parts: object) -> bool:
    """The same answer for the same parts, True for that share of them."""
    return crc32(repr(parts).encode()) % 1000 < 1000 * share


def dress_idea(idea: Idea, custom: str) -> Idea:
    name = idea.name
    if custom in ("keyed", "conflicting"):
        keys = frozenset({f"k{crc32(name.encode()) % 9}"})
        long = 80 if chance(0.3, name, "long") else -5
        asked = 2 + chance(0.5, name, "three") if chance(0.15, name, "seeds") else None
        return replace(
            idea, keys=keys, complexity=long, seeds=asked, simplifies=long < 0 and chance(0.5, name, "simpler"),
            unlocks=chance(0.2, name, "unlocks"),
        )  # fmt: skip
    if custom == "shaky":
        broken = "it edits the reward" if chance(0.1, name, "broken") else ""
        return replace(idea, broken=broken, fatal=chance(0.4, name, "fatal"))
    if custom == "overruled" and idea.verdict is not None and chance(0.3, name, "person"):
        return replace(idea, verdict=replace(idea.verdict, status=Status.DISCARD, by="ada"))
    return idea


def dress_trial(trial: Trial, custom: str) -> Trial:
    seen, value = (trial.arm, trial.seed), trial.value
    if trial.pending or value is None:
        return replace(trial, note="out of memory") if value is None and custom == "shaky" else trial
    if custom == "downwards":
        return replace(trial, value=-value / 128)
    if custom == "sampled":
        lifts = [(-1) ** place * (place % 5) / 16 for place in range(10)]
        spread = [lift * (1 + place * (trial.seed % 3) / 8) for place, lift in enumerate(lifts)]
        centre = sum(spread) / len(spread)
        samples = tuple(value + lift - centre for lift in spread)
        return replace(trial, samples=samples, prompts="p", standard_error=0.25)
    if custom == "shaky":
        if chance(0.2, *seen):
            return replace(trial, value=None, note="the node died")
        small = trial.arm != "baseline" and chance(0.1, *seen, "small")
        return replace(trial, plumbing=small, partial=chance(0.1, *seen, "partial"), standard_error=0.125)
    return trial


def dress(board: Board, custom: str) -> Board:
    """The board with what the simulator does not invent."""
    made = tuple(
        replace(b, conflict="both touch k1" if custom == "conflicting" and chance(0.35, b.name) else "")
        for b in board.bundles
    )
    incumbent = board.incumbent
    if custom == "overruled" and chance(0.3, incumbent, "person"):
        incumbent = "baseline"
    return replace(
        board, objective=DOWN if custom == "downwards" else UP, ideas=tuple(dress_idea(i, custom) for i in board.ideas),
        trials=tuple(dress_trial(t, custom) for t in board.trials), bundles=made, incumbent=incumbent,
        no_more_ideas=custom == "exhausted" and len(board.ideas) >= 9,
    )  # fmt: skip


@dataclass
class Recorder:
    """Plays one policy on dressed boards and notes what every policy says of each."""

    driver: Policy
    custom: str
    seen: list[tuple[Board, dict[str, str]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.driver.name

    def baseline_runs(self, settings: PolicySettings) -> int:
        return self.driver.baseline_runs(settings)

    def advise(self, board: Board) -> Advice:
        if len(self.seen) >= MOST_BOARDS:
            return Done()
        shown = dress(board, self.custom)
        self.seen.append((shown, all_told(shown)))
        return self.driver.advise(shown)


def campaigns(step: int = 1) -> Iterator[tuple[str, Recorder]]:
    """Simulated campaigns: every policy in charge under every custom, in worlds that differ from one to the next.

    Each third of them has every policy under every custom once.
    """
    streams = RECORDED
    for number in range(0, 3 * len(NAMES) * len(CUSTOMS), step):
        driver, custom = NAMES[number % 5], CUSTOMS[number // 5 % 8]
        runs, experiments = BUDGETS[number // 3 % 6]
        world = World(
            stream=STREAMS[streams[number // 2 % len(streams)]], noise=NOISES[number // 5 % 6], runs=runs, experiments=experiments,
            rho=0.75 * (number % 4 == 1), slots=1 + 2 * (number % 3 == 2), settings=SETTINGS[number // 2 % 7],
        )  # fmt: skip
        recorder = Recorder(JUDGES[driver], custom)
        try:
            run_campaign(recorder, world, number)
        except CampaignError:
            recorder.custom += ", stuck"
        yield f"{number:03} {driver}, {recorder.custom}", recorder


@dataclass
class Draws:
    """Random values by `Random.random` alone, whose stream no version of Python changes."""

    dice: Random

    def of(self, *choices: object) -> object:
        return choices[int(self.dice.random() * len(choices))]

    def number(self) -> float:
        """Sixteenths add up exactly, so that ties are ties."""
        return int(self.dice.random() * 97 - 48) / 16

    def verdict(self) -> Verdict | None:
        if self.of(True, False):
            return None
        effect = self.of(None, self.number())
        low, high = (None, None) if effect is None or self.of(True, False, False) else (effect - 1.5, effect + 1.5)
        return Verdict(
            status=self.of(*STATUSES),
            reason="said",
            value=1.0,
            effect=effect,
            low=low,
            high=high,
            runs=self.of(0, 1, 2, 4),
        )

    def ideas(self, arms: tuple[str, ...]) -> tuple[Idea, ...]:
        return tuple(
            Idea(name=name, parent=self.of(*arms), verdict=self.verdict(), complexity=self.of(-3, 0, 80), simplifies=self.of(True, False), unlocks=self.of(True, False),
                 keys=frozenset(self.of((), ("x",), ("y",), ("x", "y"))), seeds=self.of(None, None, 1, 3),
                 broken=self.of("", "", "", "breach"), fatal=self.of(True, False, False))
            for name in "abcd"[: self.of(0, 1, 2, 3, 4)]
        )  # fmt: skip

    def trial(self, arm: str, order: int) -> Trial:
        value = self.of(self.number(), self.number(), self.number(), self.number(), None, float("inf"), 64.0)
        return Trial(
            arm=arm, seed=42 + int(self.dice.random() * 6), purpose=self.of(*PURPOSES), pending=self.of(True, *[False] * 5), value=value,
            standard_error=self.of(None, 0.25), plumbing=self.of(True, *[False] * 7), partial=self.of(True, *[False] * 5), order=order,
            note="" if value is not None else "out of memory",
        )  # fmt: skip

    def board(self) -> Board:
        arms = ("baseline", "a", "b", "c", "screen-1-1", "screen-1-2", "screen-2-1", "set-1", "merge-1", "stranger")
        begun = [
            Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=self.number() / 8)
            for n in range(self.of(0, 1, 3))
        ]
        names = [*[t.arm for t in begun], *(self.of(*arms) for _ in range(int(self.dice.random() * 14)))]
        trials = [begun[n] if n < len(begun) else self.trial(name, n) for n, name in enumerate(names)]
        kinds = [kind for kind in arms[4:9] if self.of(True, False)]
        bundles = [Bundle(kind, self.of(("a",), ("a", "b"), ("c", "b"), ("a", "b", "c")), self.of("baseline", "a"),
                          self.of("", "", "", "both touch x")) for kind in kinds]  # fmt: skip
        return Board(
            objective=self.of(UP, DOWN), settings=self.of(*SETTINGS), ideas=self.ideas(arms), trials=tuple(trials), bundles=tuple(bundles), incumbent=self.of(*arms[:4]),
            may_explore=self.of(True, False), runs_left=self.of(None, 0, 1, 3, 20), runs_total=self.of(None, 12, 60), no_more_ideas=self.of(True, False, False),
            ideas_left=self.of(None, 0, 4),
        )  # fmt: skip


def form(name: str, words: str) -> str:
    """What kind of thing is said, whatever the numbers, the names and the policy in it."""
    plain = re.sub(r"[-+]?[0-9][0-9.e+-]*|\binf\b|\b[abcd]\b|\bnull\b", "#", words.replace(name, "policy"))
    return re.sub(r"\[[^]]*\]|(set|merge|without|idea|screen)[-#]+", "#", plain)


def recorded() -> dict[str, dict[str, object]]:
    """Six hexadecimal digits per board for what all policies say of it, and the first of each kind in full."""
    hashes: dict[str, str] = {}
    ends: dict[str, str] = {}
    texts: dict[str, str] = {}
    forms: set[str] = set()

    def note(place: str, said: dict[str, str]) -> str:
        for name, words in said.items():
            kind = form(name, words)
            if kind not in forms:
                forms.add(kind)
                texts[f"{place} {name}"] = words
        return digest(json.dumps(said))

    for title, recorder in campaigns():
        hashes[title] = "".join(note(f"{title}, board {n}", said) for n, (_, said) in enumerate(recorder.seen))
        ends[title] = claimed(recorder.seen[-1][0])
    for title, boards in random_boards():
        hashes[title] = "".join(note(f"{title}, board {n}", all_told(board)) for n, board in enumerate(boards))
    return {"hashes": hashes, "ends": ends, "texts": texts}


def claimed(board: Board) -> str:
    """What the report would claim of a board, as six digits."""
    found, trend = claims(board), drift(board)
    said = [found.campaign, *found.ideas, *([trend] if trend else [])]
    numbers = [[rounded(value) for value in asdict(one).values()] for one in said if one is not None]
    return digest(json.dumps([numbers, rounded(found.false_chance)]))


def random_boards(step: int = 1) -> Iterator[tuple[str, list[Board]]]:
    """Random boards by the hundred; all are drawn, whichever are looked at."""
    draws = Draws(Random(4))
    for part in range(0, RANDOM_BOARDS, 100):
        boards = [draws.board() for _ in range(100)]
        if part // 100 % step == 0:
            yield f"random {part}", boards


def is_as_agreed(title: str, digits: str, agreed: dict[str, str]) -> None:
    """The first board that differs is named."""
    before = agreed[title]
    same = next((n for n in range(0, len(digits), 6) if digits[n : n + 6] != before[n : n + 6]), len(before))
    assert digits == before, f"{title}: board {same // 6} is advised otherwise than in {GOLDEN.name}"


def test_what_policies_say_and_what_is_claimed_is_as_agreed():
    """Every policy in charge under every custom once, and 300 random boards: what all policies say of each is what was recorded."""
    agreed = json.loads(GOLDEN.read_text())
    for title, recorder in campaigns(3):
        is_as_agreed(title, "".join(digest(json.dumps(said)) for _, said in recorder.seen), agreed["hashes"])
        assert claimed(recorder.seen[-1][0]) == agreed["ends"][title]
    for title, boards in random_boards(5):
        is_as_agreed(title, "".join(digest(json.dumps(all_told(board))) for board in boards), agreed["hashes"])


@pytest.mark.full
def test_advice_wording_and_claims_are_as_agreed():
    """All campaigns and boards: what policies say, in which words, and what is claimed at a campaign's end.

    One test for the three, for workers that each took one would each make it all.
    """
    now, agreed = recorded(), json.loads(GOLDEN.read_text())
    assert now["texts"] == agreed["texts"]
    assert now["hashes"].keys() == agreed["hashes"].keys()
    for title, digits in now["hashes"].items():
        is_as_agreed(title, digits, agreed["hashes"])
    assert now["ends"] == agreed["ends"]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(recorded(), indent=0) + "\n")
