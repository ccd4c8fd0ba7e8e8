"""The argument tree with what commands share of it, the error handler and the exit codes.

Exit codes: 0 done, 1 an expected failure told in one line, 2 usage, 3 an internal error, 130 interrupted.
"""

import argparse
import errno
import importlib
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from autoresearch.cli import output
from autoresearch.errors import AutoresearchError, UsageError
from autoresearch.version import __version__

COMMANDS = {
    "demo": "run a real campaign on the built-in GRPO example: no GPU, key or network",
    "doctor": "check that this machine and repository are ready for a campaign",
    "init": "run your own command once, see what it measures and what can be turned, and write its campaign file",
    "plan": "inspect a recipe, propose a campaign and write its file",
    "run": "start the campaign, or continue where it stopped",
    "status": "where the campaign stands",
    "watch": "the status, live",
    "pause": "start no more runs until `resume`",
    "resume": "continue a paused campaign",
    "extend": "grant a campaign more than its stop rule did",
    "steer": "give the researchers an instruction",
    "cancel": "end one run in flight; its idea is not blamed and the campaign goes on",
    "stop": "end the campaign, after the runs in flight or now",
    "approve": "approve a pending launch, or the plan",
    "deny": "refuse a pending launch",
    "overrule": "change a verdict and record your reason",
    "experiment": "open, run, judge or drop an experiment by hand",
    "show": "one experiment with its runs and evidence",
    "log": "the run log of an experiment",
    "diff": "what an experiment changed",
    "ledger": "the table of all attempts; check and rebuild it",
    "reproduce": "repeat a recorded run (same commit, same seed) and compare the result",
    "adopt": "make one clean branch of what was kept, and the text of a pull request",
    "export": "tell a campaign to a tracker afterwards, or put what reproduces a claim into one file",
    "report": "write the report and print its path",
    "recipe": "show how a recipe is composed, its metric, cost and health",
    "simulate": "compare verdict policies on simulated campaigns",
    "mcp": "serve these commands to agents as tools (Model Context Protocol)",
    "session": "show the session memory, or write it now",
    "skill": "install or show the skill pack for coding agents",
    "list": "the campaigns of a repository",
    "dashboard": "pages in your browser that show the campaigns and stay up to date",
    "compare": "two campaigns side by side, and the ideas that both tried",
    "gc": "show what takes room and can go; clear it away on request",
    "help": "all commands, or the flags of one",
    "completion": "words for bash, zsh or fish, so that they complete commands and flags",
}
"""Every command with its line of help."""

GROUPS = {
    "begin": ("demo", "init", "plan", "run", "doctor"),
    "look": ("list", "compare", "status", "watch", "dashboard", "show", "log", "diff", "ledger", "report", "session"),
    "steer": ("pause", "resume", "extend", "steer", "cancel", "stop", "approve", "deny", "overrule"),
    "by hand": ("experiment", "reproduce", "adopt", "export", "gc"),
    "without a campaign": ("recipe", "simulate", "skill", "mcp", "help", "completion"),
}
"""The same commands as `help` has them."""

MODULES = {
    "reading": ("status", "watch", "show", "log", "diff", "ledger", "report", "session", "simulate"),
    "steering": ("plan", "run", "approve", "deny", "overrule", "pause", "resume", "extend", "steer", "stop", "cancel"),
    "by_hand": ("experiment", "reproduce", "adopt", "export"),
    "setup": ("demo", "doctor", "init", "skill", "mcp"),
    "overview": ("list", "dashboard", "compare", "gc", "help", "completion", "recipe"),
}
"""Which module has a command's two functions: `add_<command>_arguments` and `run_<command>`."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DISK = _FULL | {errno.EROFS, errno.EIO, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT}
"""What a disk says that is full or gone, also one of a network: nobody's bug."""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong and what may be written, and repeats what was typed without its secrets."""

    def error(self, message: str) -> NoReturn:
        """What is wrong, with the nearest of what is right, and where the flags are told."""
        raise UsageError(f"{_hide(self._in_words(message))}; see: {self.prog} --help")

    def _in_words(self, message: str) -> str:
        if found := re.fullmatch(r"argument (.+): invalid (int|float|_\w+) value: (.+)", message, re.DOTALL):
            return f"{found[1]}: {found[3]} is not understood; write a {'whole ' * (found[2] == 'int')}number"
        if found := re.fullmatch(r"argument (.+): invalid choice: (.+) \(choose from (.+)\)", message, re.DOTALL):
            allowed = [word.strip(" '\"") for word in found[3].split(",")]
            near = nearest(found[2].strip("'\""), allowed)
            return f"{found[1]}: {found[2]} is not understood; write {', '.join(allowed[:-1])} or {allowed[-1]}{near}"
        if found := re.match(r"unrecognized arguments: (\S+)", message):
            return f"{message}{nearest(found[1].partition('=')[0], self._flags())}"
        return message

    def _flags(self) -> list[str]:
        """Its flags, and those of its commands."""
        below = [one for action in self._actions if isinstance(action.choices, dict) for one in action.choices.values()]
        return [flag for one in (self, *below) for flag in one._option_string_actions]  # noqa: SLF001 - told nowhere else


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean 'x'?`, empty where nothing is near."""
    import difflib  # noqa: PLC0415 - only when something went wrong

    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _module(command: str) -> ModuleType:
    """The module of a command, loaded only now: `--help` should not wait for the other verbs."""
    home = next(module for module, commands in MODULES.items() if command in commands)
    return importlib.import_module(f"autoresearch.cli.{home}")


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The argument tree; with a command chosen only its branch of it, and no other command's module is imported."""
    top = _Parser(
        prog="autoresearch",
        description="Overnight research campaigns for RL post-training: a program that enforces the rules.",
        epilog=_grouped(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-V", "--version", action="version", version=f"autoresearch {__version__}")
    top.add_argument("-q", "--quiet", action="store_true", help="a command that acts says nothing but what went wrong")
    top.add_argument("-v", "--verbose", action="store_true", help="say of a failure where in the program it came from")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        if chosen in COMMANDS and name != chosen:
            continue
        sub = commands.add_parser(name, description=f"{line[:1].upper()}{line[1:]}.")
        if name == chosen:
            getattr(_module(name), f"add_{name}_arguments")(sub)
    return top


def _grouped() -> str:
    import textwrap  # noqa: PLC0415 - only where help is printed

    lines = []
    for group, names in GROUPS.items():
        lines.append(f"{group}:")
        for name in names:
            lines += textwrap.wrap(f"{name:<12}{COMMANDS[name]}", 78, initial_indent="    ", subsequent_indent=" " * 16)
    last = "Start with `autoresearch demo`. `autoresearch COMMAND --help` has a command's flags."
    return "\n".join([*lines, "", last])


def main(argv: Sequence[str]) -> int:
    """Carry out one command line.

    Returns:
        The exit code, see the module's docstring.
    """
    output.speak_anything()
    argv, quiet, verbose = _in_order(argv)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        _check(chosen, argv)
        args = _parsed(chosen, argv)
        if quiet and args.command in _ACTING:
            _refuse_unseen(args)
            output.be_quiet()
        code = int(getattr(_module(args.command), f"run_{args.command}")(args))
        return next((code for doubt in _doubts(args) if _fail(doubt)), code)
    except AutoresearchError as error:
        if verbose:
            sys.stderr.write(_hide(traceback.format_exc()))
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(_interrupted(chosen, argv), 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its exit
        return 0
    except OSError as error:
        if _lost():
            return _fail("the folder in which this was started is gone; change to the repository and run it again", 2)
        if error.errno not in _DISK:
            return _bug(argv)
        where = f" at {error.filename}" if error.filename else ""
        cure = "free some space" if error.errno in _FULL else "check the disk"
        return _fail(f"{error.strerror}{where}; nothing recorded is lost; {cure} and run it again")
    except Exception:  # noqa: BLE001 - the last door: a bug is told as one, with everything needed to mend it
        return _bug(argv)


_ACTING = frozenset({*GROUPS["begin"], *GROUPS["steer"]} - {"doctor"})
"""Commands that do something; the others are there to say something."""
_DOUBTED = frozenset({"compare", "show", "log", "diff", "ledger", "report", "adopt", "export"})
"""Commands that show what the journal says, and not whether it can be relied on."""
_TAKE_VALUES = frozenset({"--repo", "--campaign", "--name"})


def _doubts(args: argparse.Namespace) -> list[str]:
    """What makes the records doubtful that a command has just shown; `status` and its like say it themselves."""
    if args.command not in _DOUBTED or getattr(args, "action", "show") != "show":
        return []
    from autoresearch.records import finding, mirror  # noqa: PLC0415 - few commands need it

    where = args.repo.absolute()
    if args.command == "ledger" and args.campaign is None:
        asked = finding.names(finding.find_layout(where))
    else:
        asked = [args.first, args.second] if args.command == "compare" else [args.campaign]
    return [doubt for name in asked if (doubt := mirror.doubt(finding.find(where, name)))]


def _in_order(argv: Sequence[str]) -> tuple[list[str], bool, bool]:
    """The command line with what stands before the command behind it; whether to be quiet, and verbose."""
    end = list(argv).index("--") if "--" in argv else len(argv)
    own, rest = list(argv[:end]), list(argv[end:])
    quiet, verbose = {"-q", "--quiet"}, {"-v", "--verbose"}
    words = [word for word in own if word not in quiet | verbose]
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in {"-h", "--help", "-V", "--version"}:
        at += 2 if words[at] in _TAKE_VALUES else 1
    if at < len(words) and words[at] in COMMANDS:
        words = [words[at], *words[:at], *words[at + 1 :]]
    return [*words, *rest], not quiet.isdisjoint(own), not verbose.isdisjoint(own)


def _parsed(chosen: str | None, argv: Sequence[str]) -> argparse.Namespace:
    """What was typed, with what a person chose as defaults behind it."""
    from autoresearch.cli import defaults  # noqa: PLC0415 - reads this module's table

    tree = parser(chosen)
    commands = next(one for one in tree._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001 - told nowhere else
    if chosen in commands.choices:
        defaults.apply(chosen, commands.choices[chosen], COMMANDS)
    return tree.parse_args(list(argv))


def _refuse_unseen(args: argparse.Namespace) -> None:
    """Nobody says yes to what they were not shown; a live view would not be quiet."""
    if getattr(args, "yes", True) is False:
        raise UsageError(f"-q shows nothing to say yes to: add --yes, or leave -q out of {args.command}")
    if hasattr(args, "plain"):
        args.plain = True


def _lost() -> bool:
    """Whether the folder that we are in does not exist any more."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _interrupted(chosen: str | None, argv: Sequence[str]) -> str:
    """What goes on after Ctrl-C, and how to get back to it; a verb that only looks ended nothing."""
    if chosen == "watch":
        return "no longer watching; the campaign goes on as before"
    if chosen not in {"run", "demo", "experiment"}:
        return "interrupted; nothing recorded is lost; run it again"
    import shlex  # noqa: PLC0415 - only when something went wrong

    found = parser(chosen).parse_known_args(list(argv))[0] if chosen == "run" else None
    named = f" --campaign {shlex.quote(found.campaign)}" if found and found.campaign else ""
    return f"interrupted; runs in flight go on and nothing is lost; continue with: autoresearch run{named}"


def _check(chosen: str | None, argv: Sequence[str]) -> None:
    """Refuse a missing or unknown command in one line; argparse would list all of them."""
    if not argv:
        parser().print_help()
        raise UsageError("no command given; the list of commands is above")
    if chosen is None or chosen in COMMANDS:
        return
    if argv[0].startswith("-") and (known := [word for word in argv if word in COMMANDS]):
        near = nearest(argv[0].partition("=")[0], sorted(_TAKE_VALUES))
        raise UsageError(f"unrecognized arguments: {argv[0]}{near}; see: autoresearch {known[0]} --help")
    raise UsageError(f"there is no command {chosen!r}{nearest(chosen, list(COMMANDS))}; see: autoresearch --help")


def _fail(text: str, code: int = 1) -> int:
    """One line, whatever a foreign message inside it looks like."""
    sys.stderr.write(f"autoresearch: {_hide(' '.join(text.split()))}\n")
    return code


def _hide(text: str) -> str:
    from autoresearch.secrets.environment import hide  # noqa: PLC0415 - only when something went wrong

    return hide(text)


def _bug(argv: Sequence[str]) -> int:
    story = _hide(traceback.format_exc())
    last = story.strip().splitlines()[-1]
    return _fail(
        f"internal error: {last}. The ledger and the journal are intact; please report it with {_kept(argv, story)}", 3
    )


def _kept(argv: Sequence[str], story: str) -> str:
    """Where the full story lies; the story itself when it cannot be kept."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="autoresearch-bug-", suffix=".log", delete=False) as log:
            log.write(f"autoresearch {__version__}\nargv: {_hide(repr(list(argv)))}\n\n{story}")
    except OSError:
        return story
    return log.name


if TYPE_CHECKING:
    from autoresearch.campaign.campaign import Campaign


def campaign_arguments(
    parser: argparse.ArgumentParser, *, json: bool = False, unnamed: str = "the most recent one"
) -> None:
    """`--campaign`, `--repo` and, for reading commands, `--json`; `unnamed` is what is meant without a name."""
    parser.add_argument("--campaign", metavar="NAME", help=f"campaign name (default: {unnamed})")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    if json:
        parser.add_argument("--json", action="store_true", help="print machine-readable JSON")


def experiment_argument(parser: argparse.ArgumentParser) -> None:
    """The experiment that a command is about; `Campaign.number` reads it."""
    parser.add_argument("index", help="experiment number, as in the ledger, or its name, such as baseline")


def following_arguments(parser: argparse.ArgumentParser, verb: str = "") -> None:
    """Flags of whatever follows runs; `verb` is what they belong to where a command has several."""
    of = f"{verb}: " if verb else ""
    parser.add_argument("--detach", action="store_true", help=f"{of}continue in the background, even after logout")
    parser.add_argument("--plain", action="store_true", help=f"{of}plain lines instead of the live view")
    poll_argument(parser)
    parser.add_argument(
        "--take-over", action="store_true", help=f"{of}take over from a controller on another, dead host"
    )


def poll_argument(parser: argparse.ArgumentParser) -> None:
    """`--poll`: how long to wait between two looks."""
    told = "seconds between two checks of the jobs"
    parser.add_argument("--poll", type=_seconds, default=0.5, metavar="S", help=told)


def list_installed(parser: argparse.ArgumentParser, *rooms: str) -> None:
    """Say below the flags which names may be given: those of the program and of installed packages."""
    from autoresearch.ports import plugins  # noqa: PLC0415 - most commands name no adapter

    named = {room: {*plugins.names(room), *(plugins.FORMATS if room == "metrics" else ())} for room in rooms}
    lines = [f"  {room:<13}{', '.join(sorted(named[room]))}" for room in rooms]
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["installed:", *lines])


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a valid interval: give 0 to 3600 seconds")
    return value


def campaign_of(args: argparse.Namespace) -> "Campaign":
    """The campaign a command line means."""
    from autoresearch.campaign.campaign import Campaign  # noqa: PLC0415 - see above
    from autoresearch.cli.defaults import Unsaid  # noqa: PLC0415 - as there

    return Campaign(where=args.repo.absolute(), name=args.campaign, picked=isinstance(args.campaign, Unsaid))
