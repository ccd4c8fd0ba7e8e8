"""Writes the reference pages of the documentation from the program itself: `python tools/reference.py [--check]`.

`docs/reference/`: `cli.md` from the argument tree, `campaign.md` from the campaign file's model and from the adapters,
`campaign.schema.json` for editors, `ledger.md` from the columns, `journal.md` from the events, `exit-codes.md` from the
failure tree, `playbook.md` from the plays, `dialects.md` from the dialects, `python.md` from the public names. With
`--check` nothing is written; the exit code is 1 when a page says something else than the program does.
"""

import argparse
import importlib
import inspect
import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from autoresearch import errors
from autoresearch.cli import defaults as command_line_defaults
from autoresearch.cli import main as command_line
from autoresearch.config import campaign_file, schema
from autoresearch.experiment import events
from autoresearch.ports import plugins
from autoresearch.records import row
from autoresearch.researchers.playbook import plays
from autoresearch.targets import curve_rules
from autoresearch.targets.dialects import recognition
from autoresearch.targets.nemo_rl import health

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
_NOTICE = "<!-- Written by tools/reference.py from the program; edit the program instead. -->\n"
_ROOMS = {
    "targets": "Targets: what is being trained",
    "researchers": "Researchers: who proposes",
    "launchers": "Launchers: where runs happen",
    "metrics": "Metric sources: what a run wrote, read back",
    "trackers": "Trackers: who else is told",
}

_TIME = "UTC, as `2026-11-23T22:15:00Z`; empty when unknown."
_WRITTEN = {"started_at": _TIME, "finished_at": _TIME}


def main() -> int:
    """Write the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a page is stale")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(pages()[path], encoding="utf-8")
    if check and stale:
        print("write them anew with: python tools/reference.py")
    return 1 if check and stale else 0


def pages() -> dict[Path, str]:
    """Every generated page: its path and what it should say."""
    made = {
        "cli.md": cli_page(),
        "campaign.md": campaign_page(),
        "ledger.md": ledger_page(),
        "journal.md": journal_page(),
        "exit-codes.md": exit_codes_page(),
        "playbook.md": plays.render(),
        "dialects.md": dialects_page(),
        "python.md": runpy.run_path(str(Path(__file__).with_name("reference_python.py")))["page"](),
    }
    told = {FOLDER / name: _NOTICE + text.rstrip() + "\n" for name, text in made.items()}
    return told | {FOLDER / "campaign.schema.json": schema_file()}


# -- frameworks beside NeMo-RL -----------------------------------------------------------------------------------


def dialects_page() -> str:
    """What is known of each framework, one column each."""
    known = [one for _, one in sorted(recognition.known().items())]
    lines = [
        "# Dialects",
        "",
        "How training frameworks spell what a campaign needs to know: `target.dialect` in the campaign file, which",
        "`autoresearch init` writes when it recognises a command. A key in brackets has no default that is known.",
        "NeMo-RL has a target of its own; the rules over curves are the same for all.",
    ]
    for one in known:
        told = [f"`{key}={value}`" for key, value in one.forced]
        told += [f"`{key}` with `{member}`" for key, member in one.joined.items()]
        told += [f"the variable `{name}={value}`" for name, value in one.env.items()]
        rows = {
            "read at": one.read_at,
            "every run is told": ", ".join(told),
            "refused": "; ".join(f"`{key}`: {why}" for key, why in one.switched_off.items()),
            "numbers": ", ".join(f"`{json.dumps(dict(source))}`" for source in one.sources),
            "judged, the first that is there": ", ".join(f"`{pattern}` ({way})" for pattern, way in one.metrics),
            "steps, GPUs": ", ".join(f"`{key}`" for key in (one.steps, *one.gpus, one.nodes) if key),
            "protected files": ", ".join(f"`{glob}`" for glob in one.protect),
            "files named by these are protected": ", ".join(f"`{key}`" for key in one.measured_by),
            "protected settings": ", ".join(f"`{glob}`" for glob in one.protect_keys),
        }
        lines += ["", f"## {one.title}", "", *(f"- {name}: {said}" for name, said in rows.items() if said)]
    head = " | ".join(one.title for one in known)
    lines += ["", "## What plays speak of", "", f"| concept | {head} |", f"| --- |{' --- |' * len(known)}"]
    for concept in plays.concepts().names:
        keys = [one.concepts.get(concept) for one in known]
        cells = [
            "" if key is None else f"`{key.key}`" if key.default is not None or key.like else f"[`{key.key}`]"
            for key in keys
        ]
        lines.append(f"| `{concept}` | {' | '.join(cells)} |")
    lines += ["", "| play | answers | turns |", "| --- | --- | --- |"]
    for play in plays.concepts().plays:
        turns = ", ".join(f"`{name.strip('$?')}`" for name in play.set)
        lines.append(f"| {play.title} | {', '.join(play.answers)} | {turns} |")
    lines += [
        "",
        "## What curves are called",
        "",
        f"| role | NeMo-RL | {head} |",
        f"| --- | --- |{' --- |' * len(known)}",
    ]
    for role in curve_rules.ROLES:
        tags = [health.ROLES.get(role, ()), *(one.curves.get(role, ()) for one in known)]
        lines.append(f"| `{role}` | {' | '.join(', '.join(_tag(tag) for tag in each) for each in tags)} |")
    return "\n".join(lines) + "\n"


def _tag(tag: str) -> str:
    """A pattern for a tag as one may read it."""
    return f"`{tag.removeprefix('(?:data/)?')}`".replace("|", "\\|")


# -- the command line ---------------------------------------------------------------------------------------------


def cli_page() -> str:
    """One section for each command, with its flags."""
    parts = [
        "# Command line\n\nExit codes: [exit-codes.md](exit-codes.md). Every reading command has `--json`, "
        "which says its `schema_version`. `-q` and `-v` go with every command, and flags may stand before it.\n\n"
        + _prose(command_line_defaults.__doc__ or "")
        + "\n"
    ]
    parts += ["| command | what it does |\n| --- | --- |"]
    parts += [f"| [`{name}`](#{name}) | {_cell(line)} |" for name, line in command_line.COMMANDS.items()]
    return "\n".join(parts) + "\n" + "".join(f"\n{_command(name)}" for name in command_line.COMMANDS)


def _command(name: str) -> str:
    chosen = _subparsers(command_line.parser(name))[name]
    home = next(module for module, commands in command_line.MODULES.items() if name in commands)
    doc = _told_of(name, _doc(importlib.import_module(f"autoresearch.cli.{home}")))
    rows = [_argument(action) for action in chosen._actions if not isinstance(action, argparse._HelpAction)]  # noqa: SLF001 - argparse has no other way to list them
    table = "\n".join(["| argument | meaning |", "| --- | --- |", *rows]) + "\n" if rows else ""
    return f"## {name}\n\n{_prose(doc)}\n\n{table}"


def _told_of(command: str, doc: str) -> str:
    """What a module that has several commands says of one: from `autoresearch COMMAND` to the next of these."""
    stories = re.split(r"\n\n(?=`autoresearch )", doc)
    return next(
        story for story in stories if story.startswith((f"`autoresearch {command}`", f"`autoresearch {command} "))
    )


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    raise LookupError("the command line has no commands")


def _argument(action: argparse.Action) -> str:
    choices = f" (one of {', '.join(f'`{choice}`' for choice in action.choices)})" if action.choices else ""
    takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    names = ", ".join(f"`{flag}{takes}`" for flag in action.option_strings) or f"`{action.metavar or action.dest}`"
    told = (action.help or "").replace("%(default)s", str(action.default))
    plain = action.default is None or isinstance(action.default, bool | list | Path) or action.default == ""
    default = "" if plain or "default" in told else f" (default: `{action.default}`)"
    optional = "" if action.required or action.option_strings else " Optional."
    return f"| {names} | {_cell(told + choices + default + optional)} |"


# -- the campaign file --------------------------------------------------------------------------------------------


def campaign_page() -> str:
    """Every key of the campaign file, and every option of every adapter."""
    parts = [
        (
            "# The campaign file\n\n`autoresearch plan` writes it, a person may edit it, the first `autoresearch run` "
            "freezes it. Unknown keys are refused with the nearest valid one named. Keys left out have their default.\n"
            "Words for the stop rule: [stop-rules.md](../how-to/stop-rules.md).\n"
        ),
        _model(schema.CampaignConfig),
    ]
    for name, field in schema.CampaignConfig.model_fields.items():
        for model in _models(field.annotation):
            open_ended = model.model_config.get("extra") == "allow"
            more = " The adapters below say which." if open_ended else ""
            parts.append(f"## {name}\n\n{_prose(_doc(model))}{more}\n\n{_model(model)}")
    return "\n".join([*parts, *(_room(room, title) for room, title in _ROOMS.items())])


def schema_file() -> str:
    """The campaign file's JSON Schema, with the adapters that come with the program."""
    made = campaign_file.schema({kind: _ours(room) for kind, room in campaign_file.ROOMS.items()})
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for part in get_args(annotation) or (annotation,):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


def _model(model: type[BaseModel]) -> str:
    told = campaign_file.told(model)
    rows = ["| key | default | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        below = next(_models(field.annotation), None)
        meaning = told.get(name) or (_doc(below) if below else "")
        rows.append(f"| `{name}` | {_default(field)} | {_cell(meaning)} |")
    return "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value == sys.executable:
        return "the Python that runs the program"
    if isinstance(value, BaseModel):
        return f"`{_brief(value)}`"
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return f"`{', '.join(_brief(part) for part in value)}`"
    return "" if value is PydanticUndefined else f"`{_yaml(value)}`"


def _brief(value: BaseModel) -> str:
    return str(getattr(value, "type", "see below"))


def _yaml(value: object) -> str:
    words = {None: "null", True: "true", False: "false", "": '""', (): "[]"}
    if isinstance(value, tuple) and value:
        return json.dumps(value)
    return words[value] if value is None or isinstance(value, bool) or value in ("", ()) else str(value)


def _room(room: str, title: str) -> str:
    return f"## {title}\n\n" + "\n".join(_adapter(room, name) for name in sorted(_ours(room)))


def _ours(room: str) -> dict[str, str]:
    return dict(importlib.import_module(plugins.ROOMS[room].table).BUILTIN)


def _adapter(room: str, name: str) -> str:
    cls = plugins.load(room, name)
    module = sys.modules[cls.__module__]
    text = f"### {name}\n\n{_prose(_doc(module))}\n\n{_prose(_doc(cls))}\n"
    for model in _declared(module):
        text += f"\n`{model.__name__}`: {_prose(_doc(model))}\n\n{_model(model)}"
    return text


def _declared(module: ModuleType) -> list[type[BaseModel]]:
    """Options models of an adapter: those its module declares, or imports from a module of options beside it."""
    homes = {module.__name__, f"{module.__name__.rpartition('.')[0]}.options"}
    found = [
        m
        for m in vars(module).values()
        if isinstance(m, type) and issubclass(m, BaseModel) and m.__module__ in homes and m.model_fields
    ]
    return [m for m in found if not any(m in other.__mro__[1:] for other in found)]


# -- files and codes ----------------------------------------------------------------------------------------------


def ledger_page() -> str:
    """The ledger's columns, in file order."""
    told = _attributes(row.Row) | _WRITTEN
    rows = [
        f"| {number} | `{name}` | {'all' if name in row.SHARED else 'ours'} | {_cell(told[name])} |"
        for number, name in enumerate(row.COLUMNS, 1)
    ]
    return (
        f"# The ledger\n\n`reports/auto_research_results.tsv`: one row per attempted experiment of every campaign, "
        f"written once.\n\n{_rest(row)}\n\n"
        "| # | column | written by | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n\n"
        "The first fifteen columns are those of NeMo-RL's auto-research skill; a file with only these reads fine.\n"
        f"A ledger with experiments whose heavy files lie on a volume ([Brev](../how-to/brev.md)) has "
        f"{', '.join(f'`{name}`' for name in row.PLACES)} after all others; they hold absolute paths.\n"
        f"\nRows whose runs were measured have `{row.INTEGRITY}` there: `sound`, `unverified` or `contradicted`.\n"
        "`autoresearch ledger check` compares ledger, journal and notes; `autoresearch ledger rebuild` repairs the "
        "ledger and the notes from the journal, a lost journal from those, and keeps the old files.\n"
    )


def journal_page() -> str:
    """The events a campaign's state is replayed from."""
    kinds = sorted(
        (
            cls
            for cls in vars(events).values()
            if isinstance(cls, type) and "kind" in getattr(cls, "__annotations__", {})
        ),
        key=lambda cls: inspect.getsourcelines(cls)[1],
    )
    rows = [f"| `{cls.kind}` | {_cell(_summary(cls))} | {_fields(cls)} |" for cls in kinds]
    return (
        f"# The journal\n\n{_prose(_doc(events))}\n\n"
        "`reports/auto_research/<campaign>/journal.jsonl` is what the program resumes from. Every line has `v`, `kind` "
        "and `at`.\n\n| kind | what happened | further fields |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def _fields(cls: type) -> str:
    return ", ".join(f"`{name}`" for name in cls.__annotations__ if name not in {"at", "kind"})


def exit_codes_page() -> str:
    """What the exit codes mean and which failures there are."""
    rows = [
        f"| `{cls.__name__}` | {cls.exit_code} | {_cell(_summary(cls))} |"
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.AutoresearchError)
    ]
    return (
        "# Exit codes and failures\n\n| code | meaning |\n| --- | --- |\n"
        "| 0 | done |\n| 1 | an expected failure, explained in one line on stderr |\n"
        "| 2 | wrong usage of the command line |\n"
        "| 3 | an internal error; the message says where its log is |\n| 130 | interrupted; nothing is lost |\n\n"
        f"{_prose(_doc(errors).partition('```')[0])}\n\n"
        "| failure | code | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


# -- docstrings as Markdown ---------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    name: str
    text: str


def _doc(thing: object) -> str:
    return inspect.getdoc(thing) or ""


def _rest(thing: object) -> str:
    return _doc(thing).partition("\n\n")[2]


def _summary(thing: object) -> str:
    return _doc(thing).partition("\n\n")[0]


def _attributes(cls: type) -> dict[str, str]:
    section = _doc(cls).partition("Attributes:\n")[2]
    return {entry.name: entry.text for entry in _entries(section)}


def _entries(section: str) -> Iterator[_Entry]:
    for part in re.split(r"\n(?=    \S)", section.rstrip()):
        name, _, text = " ".join(part.split()).partition(": ")
        yield _Entry(name, text)


def _prose(doc: str) -> str:
    """A docstring as Markdown: its `Options:` and `Args:` become lists, what it raises is left out."""
    parts: list[str] = []
    for block in doc.split("\n\n"):
        head, _, rest = block.partition("\n")
        if head in {"Raises:", "Returns:", "Args:"} and _internal(rest):
            continue
        if re.fullmatch(r"(Options|Args|Attributes)\b.*:", head):
            items = "\n".join(f"- `{entry.name}`: {entry.text}" for entry in _entries(rest))
            parts.append(f"Options:\n\n{items}")
        else:
            parts.append(block)
    return "\n\n".join(parts)


def _internal(rest: str) -> bool:
    """Whether a section speaks to programmers only: it has no options in it."""
    return "options" not in {entry.name for entry in _entries(rest)}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
