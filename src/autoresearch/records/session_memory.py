"""Session memory as text: what is written for whoever goes on after us, rendered from one value.

The four files, their headings and their bullets are those of NeMo-RL's session-memory skill (R169-R174), so that an
agent that knows the skill finds its way. Times are given as local text; every field is one line, however it came in.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

LINE = 400
"""Characters of one field; what is longer is cut. State is kept, not transcripts (R175)."""

MOST = 25
"""Bullets of one list; of a longer one the newest stay (R179)."""


@dataclass(frozen=True)
class Skill:
    """A set of instructions in use: its name, why, and what of it must not be forgotten."""

    name: str
    why: str
    preserve: str = ""


@dataclass(frozen=True)
class Step:
    """One step of the plan."""

    text: str
    done: bool = False


@dataclass(frozen=True)
class Assumption:
    """Something taken for true, and how to verify it."""

    text: str
    verify: str = ""


@dataclass(frozen=True)
class FileNote:
    """A path, and why it mattered, what changed in it, or what it is for."""

    path: str
    why: str


@dataclass(frozen=True, kw_only=True)
class MemoryState:
    """What is true now, for the next reader.

    Attributes:
        goal: The overall goal; stable, see `SessionMemory.checkpoint`.
        subtask: What is being done right now.
        status: What is true now, completed work included.
        verification: What of it was verified, and what was not.
        latest_result: The newest result in words.
        stop_rule: The stop rule in the owner's words.
        stop_sentence: How far it is from being met.
        campaign: Name of the campaign.
        repo: Repository, absolute.
        branch: The branch of the work at hand.
        head: Commit of that branch, full hash or empty.
        uncommitted: Uncommitted changes, and whose they are.
        skills: Instructions in use.
        plan: Steps, in order.
        steering: What the user asked for since the start, oldest first; always additive (R181).
        assumptions: What is taken for true.
        constraints: What must be respected (R164).
        blockers: What stands in the way.
        inspected: Files that were read, oldest first.
        changed: Files that were changed.
        generated: Files that were made.
        resume: One paragraph to resume from; empty: made from the fields above.
        next_actions: Most important first.
        watch_outs: Risks and preferences to respect.
    """

    goal: str
    subtask: str = ""
    status: str = ""
    verification: str = ""
    latest_result: str = ""
    stop_rule: str = ""
    stop_sentence: str = ""
    campaign: str = ""
    repo: str = ""
    branch: str = ""
    head: str = ""
    uncommitted: str = ""
    skills: tuple[Skill, ...] = ()
    plan: tuple[Step, ...] = ()
    steering: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    constraints: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    inspected: tuple[FileNote, ...] = ()
    changed: tuple[FileNote, ...] = ()
    generated: tuple[FileNote, ...] = ()
    resume: str = ""
    next_actions: tuple[str, ...] = ()
    watch_outs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stamp:
    """When and where a record was made: session id, and local times as text."""

    session: str
    started: str
    updated: str


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened; empty fields are left out.

    Attributes:
        asked: What the user asked for.
        context: What was looked at, and what it said.
        decision: What was decided, and why.
        result: What came of it.
    """

    asked: str = ""
    context: str = ""
    decision: str = ""
    result: str = ""


def session_state(state: MemoryState, stamp: Stamp) -> str:
    """`session_state.md`."""
    header = [
        ("Session", stamp.session),
        ("Repo", state.repo),
        ("Branch", state.branch),
        ("Started", stamp.started),
        ("Updated", stamp.updated),
        *((name, text) for name, text in (("Campaign", state.campaign), ("Head", state.head)) if text),
    ]
    return _document(
        "Session State",
        "\n".join(f"- {name}: {_line(text) or 'unknown'}" for name, text in header),
        ("Goal", "\n".join([_paragraph(state.goal), *_newest(f"Also asked: {text}" for text in state.steering)])),
        ("Current Subtask", _paragraph(state.subtask)),
        ("Loaded Skills", "\n".join(_newest(map(_skill, state.skills)))),
        ("Current Status", "\n".join(_status(state))),
        ("Plan", "\n".join(_newest(f"[{'x' if step.done else ' '}] {step.text}" for step in state.plan))),
        (
            "Assumptions",
            "\n".join(_newest([*map(_assumption, state.assumptions), *map(_known, state.constraints)])),
        ),
        ("Blockers", "\n".join(_newest(state.blockers or ["None known"]))),
    )


def files(state: MemoryState) -> str:
    """`files.md`."""
    return _document(
        "Files",
        "",
        ("Inspected", "\n".join(_newest(map(_file, state.inspected)))),
        ("Changed", "\n".join(_newest(map(_file, state.changed)))),
        ("Generated", "\n".join(_newest(map(_file, state.generated)))),
    )


def handoff(state: MemoryState) -> str:
    """`handoff.md`: enough to go on without reading anything else."""
    return _document(
        "Handoff",
        "",
        ("Resume From Here", _paragraph(state.resume or _summary(state))),
        ("Next Actions", "\n".join(_first(state.next_actions))),
        ("Watch Outs", "\n".join(_first((*state.constraints, *state.watch_outs)))),
    )


TIMELINE = "# Timeline\n"
"""How `timeline.md` begins."""


def timeline_entry(entry: TimelineEntry, at: str) -> str:
    """One entry to be appended, `at` being a local time."""
    said = (
        ("User asked", entry.asked),
        ("Context gathered", entry.context),
        ("Decision", entry.decision),
        ("Result", entry.result),
    )
    return f"\n## {at}\n" + "".join(f"- {name}: {_line(text)}\n" for name, text in said if text.strip())


def goal_of(document: str) -> str:
    """The goal that a `session_state.md` holds, empty when it holds none."""
    found = re.search(r"^## Goal\n(?!- )(.+)$", document, re.MULTILINE)
    return "" if found is None or found[1] == _NOTHING else found[1]


def same_goal(goal: str, written: str) -> bool:
    """Whether a goal, as it would be written, is the one that `goal_of` read."""
    return _paragraph(goal) == written


def header_of(document: str) -> dict[str, str]:
    """The header of a `session_state.md`: session, repo, branch, started, updated, campaign, head."""
    top = document.split("\n## ", 1)[0]
    return {name.lower(): text.strip() for name, text in re.findall(r"^- (\w+): (.*)$", top, re.MULTILINE)}


def mismatches(document: str, branch: str, head: str) -> tuple[str, ...]:
    """Where git disagrees with a `session_state.md` (R165), one sentence each.

    Args:
        document: The file's text.
        branch: The branch as git says it now.
        head: Its commit as git says it now, full hash.
    """
    noted = header_of(document)
    found = []
    if noted.get("branch", branch) != branch:
        found.append(f"the notes say branch {noted['branch']}, git says {branch}")
    if not head.startswith(noted.get("head", head)):
        found.append(f"the notes say commit {noted['head'][:12]}, git says {head[:12]}")
    return tuple(found)


def recovery_page(handed: str, state: str, timeline: str, limit: int) -> str:
    """What a resuming reader should read, in order: handoff, state, recent timeline (R182).

    Args:
        handed: Text of `handoff.md`.
        state: Text of `session_state.md`.
        timeline: Text of `timeline.md`; its newest entries are taken.
        limit: Characters of the whole page; a part that does not fit in its share is cut and says so.
    """
    parts = [_cut(handed.strip(), limit * 2 // 5), _cut(state.strip(), limit * 2 // 5)]
    room = limit - sum(len(part) + 2 for part in parts)
    return "\n\n".join([*parts, recent(timeline, room)]).strip() + "\n"


def recent(timeline: str, room: int) -> str:
    """The newest entries of a timeline that fit into `room` characters, oldest of them first."""
    title = "# Timeline, newest entries"
    entries = [f"\n\n## {entry.strip()}" for entry in re.split(r"^## ", timeline, flags=re.MULTILINE)[1:]]
    kept, left = "", room - len(title)
    for entry in reversed(entries):
        if len(kept) + len(entry) > left:
            break
        kept = entry + kept
    return title + kept if kept else ""


def scrub(value: Any, clean: Callable[[str], str]) -> Any:
    """The same value with every text in it cleaned; dataclasses and tuples of texts, nested as they like."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(scrub(item, clean) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: scrub(getattr(value, item.name), clean) for item in fields(value)})
    return value


_NOTHING = "None recorded"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _document(title: str, header: str, *sections: tuple[str, str]) -> str:
    top = [f"# {title}", header] if header else [f"# {title}"]
    return "\n\n".join([*top, *(f"## {name}\n{body.strip() or _NOTHING}" for name, body in sections)]) + "\n"


def _status(state: MemoryState) -> Iterable[str]:
    said = (
        ("", state.status),
        ("Verified: ", state.verification),
        ("Latest result: ", state.latest_result),
        ("Stop rule: ", state.stop_rule),
        ("", state.stop_sentence),
        ("Uncommitted: ", state.uncommitted),
    )
    return [f"- {name}{_line(text)}" for name, text in said if text.strip()]


def _summary(state: MemoryState) -> str:
    where = f"on branch {state.branch} of campaign {state.campaign}" if state.campaign and state.branch else ""
    said = (
        ("Goal: ", state.goal), ("", where), ("Now: ", state.subtask), ("Latest result: ", state.latest_result),
        ("", state.stop_sentence),
    )  # fmt: skip
    return " ".join(_sentence(f"{name}{text.strip()}") for name, text in said if text.strip())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _newest(texts: Iterable[str]) -> list[str]:
    """Bullets of the last `MOST` texts."""
    lines = [f"- {_line(text)}" for text in texts]
    more = len(lines) - MOST
    return [f"- ({more} earlier ones left out)", *lines[more:]] if more > 0 else lines


def _first(texts: Iterable[str]) -> list[str]:
    """Bullets of the first `MOST` texts."""
    lines = [f"- {_line(text)}" for text in texts]
    more = len(lines) - MOST
    return [*lines[:MOST], f"- ({more} further ones left out)"] if more > 0 else lines


def _skill(skill: Skill) -> str:
    return f"`{skill.name}` - {skill.why}{'; preserve: ' + skill.preserve if skill.preserve else ''}"


def _assumption(assumption: Assumption) -> str:
    return f"{assumption.text}{'; verify: ' + assumption.verify if assumption.verify else ''}"


def _known(text: str) -> str:
    return f"Known constraint: {text}"


def _file(note: FileNote) -> str:
    return f"`{note.path}` - {note.why or 'no reason recorded'}"


def _line(text: str, most: int = LINE) -> str:
    return _cut(" ".join(_CONTROL.sub(" ", text).split()), most)


def _paragraph(text: str) -> str:
    """One line that is neither a heading nor a bullet, so that text from outside cannot forge the file's structure."""
    return _line(text, 3 * LINE).lstrip("#-*+> ")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 12].rstrip()} (cut short)"
