"""One call of an agent: its own home and environment, its sandbox, the program, and what it left behind."""

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from autoresearch import extras
from autoresearch.errors import CampaignError, ResearcherError
from autoresearch.experiment.hypothesis import Brief
from autoresearch.git.call import EMAIL
from autoresearch.guards import agent_runner
from autoresearch.guards.agent_runner import CallEnd, Cell
from autoresearch.guards.custody import HAND, git_folder
from autoresearch.guards.scope import Scope
from autoresearch.machine import sandbox
from autoresearch.machine.disk import delete
from autoresearch.records.paths import Layout
from autoresearch.researchers.agent import answer as agent_answer
from autoresearch.researchers.agent import dry_run
from autoresearch.researchers.agent.adapters import REACH, Adapter, Call
from autoresearch.researchers.agent.answer import Answer
from autoresearch.researchers.agent.options import AgentOptions
from autoresearch.researchers.agent.transcript import Said
from autoresearch.secrets import environment

_PLAIN = ("LANG", "LC_ALL", "LC_CTYPE", "TERM", "TZ")
_GIT = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "credential.helper": "",
    "protocol.allow": "never",
}
"""Settings of every git an agent starts: no hook runs, nothing is pushed or fetched, nothing is tidied away."""

_LONGEST_ARGUMENT = 120_000
_ENDED = "ended by the campaign"
_LEAVE_S = 10.0
"""Time that our side of a conversation has to take its leave, after its own limit."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one call came to.

    Attributes:
        ending: How the program ended.
        said: Its own account.
        answer: Its answer, if it gave one.
        stdout: What it printed, head and tail of it.
        stderr: The same for errors.
        at: Unix time of its start.
        dry_runs: What its dry runs said, oldest first.
    """

    ending: CallEnd
    said: Said
    answer: Answer | None
    stdout: str
    stderr: str
    at: float
    dry_runs: tuple[str, ...] = ()


class Caller:
    """Calls one kind of agent.

    Args:
        options: The researcher's options.
        folder: The researcher's scratch folder.

    Raises:
        CampaignError: The agent is not installed, or the sandbox that was asked for does not work.
    """

    def __init__(self, options: AgentOptions, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.adapter: Adapter = options.adapter()
        self.program = _program(options, self.adapter)
        self.interrupted = False
        """Whether the campaign has ended its work."""
        self._at_work: Path | None = None
        self.uncontained = "sandbox: none was chosen" if options.sandbox == "none" else sandbox.why_not()
        if self.adapter.converses and find_spec("acp") is None:
            raise CampaignError(
                f"researcher `agent`: `protocol: acp` needs a package that is not installed; {extras.advice('acp')}"
            )
        if options.sandbox == "bwrap" and self.uncontained:
            raise CampaignError(
                f"researcher `agent`: {self.uncontained}; install bubblewrap and allow user namespaces, "
                f"or set `sandbox: auto` to go without"
            )

    def call(self, label: str, prompt: str, tree: Path, max_cost_usd: float | None, brief: Brief) -> Result:
        """Have the agent edit `tree`; when this returns no process of it is left.

        Args:
            label: Names the call's own folder.
            prompt: What the agent is told.
            tree: Its worktree.
            max_cost_usd: Money the call may spend, None for no limit.
            brief: What it is told; its scope answers an agent that asks, and a dry run.

        Raises:
            ResearcherError: Something of it could not be ended.
        """
        place = self.folder / "calls" / label
        delete(place)
        inside, home, temporary = (place / name for name in ("io", "home", "tmp"))
        for each in (inside, home, temporary):
            each.mkdir(parents=True, mode=0o700)
        home = self._home(home)
        made = self._prepared(prompt, tree, inside, home, temporary, max_cost_usd)
        dry_run.write(inside, brief, tree, self.options.root.resolve(), agent_answer.NAME)
        at, cell = time.time(), self._cell(made, place, temporary, dry_run.scope_of(brief))
        self._at_work = Path(cell.folder)
        try:
            ending = CallEnd(word="stopped", reason=_ENDED) if self.interrupted else agent_runner.run(cell)
        finally:
            self._at_work = None
        result = self._result(made, place, ending, at)
        self._keep_login(home)
        for left in [path for glob in self.adapter.litter for path in tree.glob(glob)]:
            delete(left)
        delete(place)
        if ending.left:
            raise ResearcherError(f"processes of the agent could not be ended: {', '.join(ending.left)}")
        return result

    def interrupt(self) -> None:
        """End the call that is under way, from another thread; further ones end before they begin."""
        self.interrupted, folder = True, self._at_work
        if folder is not None:
            with suppress(OSError):  # it may not have begun, or be over
                (folder / agent_runner.END).touch()

    def answer_file(self, label: str) -> Path:
        """Where the agent of that call may write its answer."""
        return self.folder / "calls" / label / "io" / agent_answer.NAME

    # -- before ---------------------------------------------------------------------------------------------------

    def _home(self, fresh: Path) -> Path:
        if self.options.home is not None:
            return (self.options.root / self.options.home).expanduser()
        for login in self.adapter.logins:
            kept, own = self.folder / "login" / login, Path.home() / login
            source = max((file for file in (kept, own) if file.is_file()), key=_changed, default=None)
            if source is not None:
                (fresh / login).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, fresh / login)
        return fresh

    def _keep_login(self, home: Path) -> None:
        """A login that was renewed during the call is what the next call needs."""
        for login in self.adapter.logins if self.options.home is None else ():
            used, kept = home / login, self.folder / "login" / login
            if used.is_file() and not used.is_symlink():
                kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                aside = kept.with_name(f".{kept.name}-{home.parent.name}")
                with suppress(OSError):
                    shutil.copy2(used, aside)
                    aside.replace(kept)

    def _prepared(
        self, prompt: str, tree: Path, inside: Path, home: Path, temporary: Path, max_cost_usd: float | None
    ) -> Call:
        prompt_file, answer_file = inside / "brief.md", inside / agent_answer.NAME
        prompt_file.write_text(prompt, encoding="utf-8")
        env = self._environment(home, temporary, prompt_file, answer_file)
        call = Call(
            prompt=prompt if len(prompt.encode()) < _LONGEST_ARGUMENT else f"Read {prompt_file} and do what it says.",
            prompt_file=prompt_file,
            answer_file=answer_file,
            folder=inside,
            home=home,
            tree=tree,
            env=env,
            model=self.options.model,
            command=self.options.command,
            extra=self.options.args,
            max_cost_usd=max_cost_usd,
            contained=not self.uncontained,
        )
        (home / ".codex").mkdir(exist_ok=True)
        for name, text in self.adapter.files(call).items():
            if self.options.home is not None and (home / name).exists():
                continue
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)
        return call

    def _environment(self, home: Path, temporary: Path, prompt_file: Path, answer_file: Path) -> dict[str, str]:
        reach = REACH if self.adapter.program else ()
        names = (*_PLAIN, *reach, *self.adapter.variables, *self.options.env_allow)
        allowed = {name: os.environ[name] for name in names if name in os.environ}
        settings = {"GIT_CONFIG_COUNT": str(len(_GIT))}
        for number, (key, value) in enumerate(_GIT.items()):
            settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        chosen = {self.adapter.model_variable: self.options.model} if self.adapter.model_variable else {}
        return {
            "TERM": "dumb",
            **self.adapter.env,
            **allowed,
            **{name: model for name, model in chosen.items() if model},
            **settings,
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_EDITOR": "true",
            "GIT_AUTHOR_NAME": HAND,
            "GIT_AUTHOR_EMAIL": EMAIL,
            "GIT_COMMITTER_NAME": HAND,
            "GIT_COMMITTER_EMAIL": EMAIL,
            "AUTORESEARCH_BRIEF": str(prompt_file),
            "AUTORESEARCH_ANSWER": str(answer_file),
            "AUTORESEARCH_CHECK": str(answer_file.with_name(dry_run.SCRIPT)),
        }

    def _cell(self, call: Call, place: Path, temporary: Path, scope: Scope) -> Cell:
        options = self.options
        argv = self.adapter.command_line(call)
        argv[0] = self.program or argv[0]
        if not self.uncontained:
            argv = list(sandbox.wrap(argv, self._view(call, temporary)))
        cell = Cell(
            argv=argv,
            directory=str(call.tree),
            env=call.env,
            folder=str(place / "watch"),
            stdin=call.prompt if self.adapter.stdin and not self.adapter.converses else "",
            timeout_s=options.timeout,
            grace_s=options.grace,
            writable=(str(call.tree), str(call.folder), str(call.home), str(temporary)),
            max_disk_bytes=int(options.max_disk_mb * 1e6),
        )
        return self._conversing(cell, call, scope) if self.adapter.converses else cell

    def _conversing(self, cell: Cell, call: Call, scope: Scope) -> Cell:
        """The same around our side of the conversation, which has none of the agent's environment."""
        task = {
            "argv": cell.argv, "env": cell.env, "tree": str(call.tree), "own": cell.writable[1:], "prompt": call.prompt,
            "scope": asdict(scope), "until": time.monotonic() + cell.timeout_s, "grace_s": cell.grace_s,
            "mode": "".join(self.adapter.mode.of(call)), "max_cost_usd": call.max_cost_usd,
            "network": self.options.network,
        }  # fmt: skip
        # -P: what lies in the directory it starts in is never imported.
        return replace(
            cell,
            argv=(sys.executable, "-P", "-m", "autoresearch.researchers.agent.acp"),
            directory=cell.folder,
            env={name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ},
            stdin=json.dumps(task),
            timeout_s=cell.timeout_s + cell.grace_s + _LEAVE_S,
        )

    def _view(self, call: Call, temporary: Path) -> sandbox.View:
        root = self.options.root.resolve()
        places = Layout(root)
        records = [places.campaigns, places.sessions, places.ledger, places.private]
        hidden = [
            *sandbox.credentials(Path.home(), (root, call.tree)),
            *(path for path in records if path.exists()),
            *((root / path).expanduser() for path in self.options.hide),
        ]
        installed = (*dry_run.places(), *(_install_folders(Path(self.program)) if self.program else ()))
        return sandbox.View(
            shown=(
                *sandbox.programs(call.env, *installed, *self.options.show),
                root,
                git_folder(call.tree),
            ),
            hidden=tuple(dict.fromkeys(hidden)),
            writable=(call.tree, call.folder, call.home, temporary),
            frozen=(call.tree / ".git", call.prompt_file),
            temporary=temporary,
            network=self.options.network,
        )

    # -- after ----------------------------------------------------------------------------------------------------

    def _result(self, call: Call, place: Path, ending: CallEnd, at: float) -> Result:
        stdout, stderr = (_read(place / "watch" / name) for name in ("stdout.log", "stderr.log"))
        said = self.adapter.read(stdout, call)
        clean = environment.of_repository(self.options.root).clean
        in_file = [agent_answer.take(file, clean) for file in (call.answer_file, call.tree / agent_answer.NAME)]
        answer = next((found for found in in_file if found), None) or agent_answer.last_in(said.text, clean)
        if said.cancelled or (self.adapter.converses and ending.word == "timed-out"):
            reason = f"still at work after {self.options.timeout:g} s"
            ending = replace(ending, word="timed-out", code=None, reason=reason)
        return Result(
            ending=ending,
            said=replace(said, text=said.text[-64_000:]),
            answer=answer,
            stdout=stdout,
            stderr=stderr,
            at=at,
            dry_runs=dry_run.told(call.folder),
        )


def _program(options: AgentOptions, adapter: Adapter) -> str:
    """The program's full path."""
    name = options.command[0] if options.command else adapter.program
    found = shutil.which(name, path=None if "/" not in name else str((options.root / name).parent)) if name else None
    if found is None and "/" in name and (options.root / name).exists():
        found = str((options.root / name).absolute())
    if found is None:
        raise CampaignError(
            f"researcher `agent`: the program {name!r} is not installed or not on PATH; install it, "
            f"or give its path as `command`"
        )
    return found


def _install_folders(program: Path) -> tuple[Path, ...]:
    """What belongs to an installed program: its `node_modules`, its virtual environment, or at least its folder."""
    return tuple(dict.fromkeys(_install_folder(path) for path in (program, program.resolve())))


def _install_folder(program: Path) -> Path:
    if "node_modules" in program.parts:
        return Path(*program.parts[: program.parts.index("node_modules") + 1])
    folder = program.parent
    return folder.parent if folder.name == "bin" and (folder.parent / "pyvenv.cfg").exists() else folder


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _changed(file: Path) -> float:
    return file.stat().st_mtime


def template(name: str, folder: Path | None) -> str:
    """A prompt template: a person's own where they wrote one, else the program's."""
    own = folder / name if folder else None
    if own is not None and own.is_file():
        return own.read_text(encoding="utf-8")
    return files("autoresearch.researchers.agent").joinpath("prompts", name).read_text(encoding="utf-8")


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Put parts in place of `{{name}}`; what a part holds is not looked at again.

    Raises:
        CampaignError: The template names a part that does not exist.
    """
    pieces = text.split("{{")
    out = [pieces[0]]
    for piece in pieces[1:]:
        name, closed, rest = piece.partition("}}")
        if not closed or name.strip() not in parts:
            known = ", ".join(sorted(parts))
            raise CampaignError(
                f"a prompt template asks for {{{{{name[:40]}}}}}, which there is not; there are: {known}"
            )
        out.append(parts[name.strip()] + rest)
    lines = "".join(out).splitlines()
    kept = [line for number, line in enumerate(lines) if line.strip() or (number and lines[number - 1].strip())]
    return "\n".join(kept).strip() + "\n"


def as_json(document: Mapping[str, object]) -> str:
    """A record as indented JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
