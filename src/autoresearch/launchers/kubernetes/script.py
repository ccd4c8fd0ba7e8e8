"""The script that a pod runs, as text; nothing here touches the world.

It needs bash and coreutils in the image, not us. It checks that the code it sees is the experiment's commit, keeps the
limit, and writes how the run began and ended into the run's folder, in the words of `run_folder`.

Which bytes a pod has to see: the files of the experiment's commit, each with its SHA-256.

The format is that of `sha256sum --check` (coreutils), so the pod needs neither git nor us to compare.
"""

import math
import re
from collections.abc import Mapping, Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from shlex import quote

from autoresearch.errors import LauncherError
from autoresearch.machine import processes
from autoresearch.machine.processes import CommandError, run
from autoresearch.run.job import Job
from autoresearch.supervision import run_folder

SCRIPT, CODE = "job.sh", "code.sha256"
NODE = "AUTORESEARCH_NODE"
"""Variable of a pod that holds its node's name."""

WRONG_CODE, ENDED_BEFORE = 76, 75
"""Exit codes of the script itself: the pod does not see the commit; the run had ended before."""


class There:
    """Our paths, as pods see them.

    Args:
        paths: Folders of ours and where pods see them; the longest that fits counts.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(paths)
        known = "|".join(re.escape(place) for place in sorted(paths, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w./-])(?:{known})(?![\w.-])") if known else None

    def __call__(self, text: str) -> str:
        """The text with every path of ours translated, also inside `key=PATH` and `PATH:PATH`."""
        return self._pattern.sub(lambda found: self._paths[found[0]], text) if self._pattern else text


def script(
    job: Job, there: There, env: Mapping[str, str], setup: Sequence[str], *, requeue: bool, once: bool = False
) -> str:
    """What `bash job.sh` does in the pod.

    Args:
        job: The run; its `grace_s` counts.
        there: Translates our paths.
        env: Variables below the job's own.
        setup: Shell lines before the command.
        requeue: Whether a pod that was evicted may be followed by another one.
        once: Whether a pod that finds the run begun, and not ended, leaves it alone: the first may be alive still, on
            a node that nobody reaches.
    """
    variables = {"PYTHONUNBUFFERED": "1", **env, **job.env, processes.RUN_NAME: job.run_id}
    exports = [f"export {name}={quote(there(value))}" for name, value in variables.items()]
    command = " ".join(quote(there(word)) for word in job.argv)
    limit = 0.0 if job.limit_s is None else job.limit_s
    bounds = f"limit={limit:g} limit_us={round(limit * 1e6)} grace={job.grace_s:g} again={int(requeue)}"
    bounds += f" once={int(once and not requeue)}"
    lines = [
        "#!/bin/bash",
        *(f"# {line}" for line in f"run {job.run_id!r}, {_limit(job)}".splitlines()),
        f"folder={quote(there(job.folder))} code={quote(there(job.directory))} log={quote(there(job.log))}",
        bounds,
        _FUNCTIONS,
        *setup,
        *exports,
        "begin",
        f'timeout --signal=TERM --kill-after="$grace" "$limit" {command} >> "$log" 2>&1 &',
        _WATCH,
    ]
    return "\n".join(lines) + "\n"


def _limit(job: Job) -> str:
    return "no limit" if job.limit_s is None else f"limit {job.limit_s:g} s, then TERM, {job.grace_s:g} s, KILL"


def margin_s(job: Job) -> int:
    """Seconds after which Kubernetes itself should end a pod of this run: limit, grace, and time to pull an image."""
    return math.ceil((job.limit_s or 0.0) + job.grace_s + 1800)


_FUNCTIONS = f"""\
state="$folder/{run_folder.STATE}" ended="$folder/{run_folder.EXIT}"
node=${{{NODE}:-$(hostname)}} child= told= began=
now_us() {{ echo "${{EPOCHREALTIME/[.,]/}}"; }}
seconds() {{ echo "${{1:0:-6}}.${{1: -6}}"; }}
ooms() {{ sed -n 's/^oom_kill //p' /sys/fs/cgroup/memory.events 2>/dev/null || true; }}
put() {{ cat > "$1.$$" && mv "$1.$$" "$1"; }}
finish() {{ # finish ENDING REASON CODE: write how it ended, and end
  local code=$3 start=null
  [ -n "$began" ] && start=$(seconds "$began")
  [ "$1" = preempted ] && code=null
  printf '{{"ending": "%s", "reason": "%s", "exit_code": %s, "node": "%s", "started_at": %s, "ended_at": %s}}\\n' \\
    "$1" "$2" "$code" "$node" "$start" "$(seconds "$(now_us)")" | put "$ended"
  echo "$2"
  [ -e "$log" ] && tail -n 50 "$log"
  exit "$3"
}}
set_aside() {{ # what an attempt before this one left becomes history
  local number=1
  while [ -e "$state.attempt-$number" ]; do number=$((number + 1)); done
  for file in "$state" "$ended"; do [ -e "$file" ] && mv "$file" "$file.attempt-$number"; done
}}
same_code() {{ # a shared file system may show a change some seconds late
  local try seen
  [ -e "$folder/{CODE}" ] || return 0
  for try in 1 2 3; do
    seen=$(cd "$code" && sha256sum --quiet --check "$folder/{CODE}" 2>/dev/null) && return 0
    wrong=$(head -n 1 <<< "$seen" | tr -cd '[:alnum:] ._/:-')
    sleep "$try"
  done
  return 1
}}
begin() {{
  if [ -e "$ended" ] && [ "$again" = 0 ] && ! grep -q '"preempted"' "$ended"; then
    echo "this run has ended before; this pod does nothing"
    exit {ENDED_BEFORE}
  fi
  if [ "$once" = 1 ] && [ -e "$state" ] && [ ! -e "$ended" ]; then
    echo "another pod has begun this run and has not ended it; this pod does nothing"
    exit {ENDED_BEFORE}
  fi
  set_aside
  same_code || finish not-started "the pod does not see the commit of the experiment: ${{wrong:-files are missing}}" \\
    {WRONG_CODE}
  cd "$code" || finish not-started "the pod has no folder for the code" {WRONG_CODE}
  began=$(now_us) killed=$(ooms)
  printf '{{"node": "%s", "pod": "%s", "started_at": %s}}\\n' "$node" "$(hostname)" "$(seconds "$began")" | put "$state"
}}
trap 'told=1; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM INT"""

_WATCH = """\
child=$!
[ -n "$told" ] && kill -TERM "$child"
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
over=$((limit_us > 0 && $(now_us) - began >= limit_us))
[ -n "$told" ] && finish preempted "ended from outside: the pod was asked to stop" $((code ? code : 143))
if [ "$over" = 1 ] && [[ $code = 124 || $code = 137 ]]; then
  finish timed-out "timed out: still running after $limit s" "$code"
fi
[ "$code" = 137 ] && [ "$(ooms)" != "$killed" ] && finish memory "killed by the kernel: out of memory" "$code"
finish exited "exited with code $code" "$code\""""


_LISTING_S = 120.0


def checksums(tree: Path) -> str:
    """One line for each regular file that git tracks, submodules included; empty where there is no repository.

    A file that differs from its commit counts as the commit has it: the pod will find the difference and say so.

    Raises:
        LauncherError: Git cannot list them.
    """
    if not (tree / ".git").exists():
        return ""
    changed = set(_names(tree, "diff", "--name-only", "-z", "--no-renames", "HEAD"))
    lines = []
    for name in _names(tree, "ls-files", "-z", "--recurse-submodules"):
        digest = _committed(tree, name) if name in changed else _digest(tree / name)
        lines += [_line(name, digest)] if digest else []
    return "".join(lines)


def _names(tree: Path, *words: str) -> list[str]:
    return [name for name in _git(tree, *words).decode("utf-8", "surrogateescape").split("\0") if name]


def _digest(path: Path) -> str:
    """Empty for what is no regular file: a link has no content of its own."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _committed(tree: Path, name: str) -> str:
    if (tree / name).is_dir():
        return ""
    return sha256(_git(tree, "cat-file", "--filters", f"HEAD:{name}")).hexdigest()


def _git(tree: Path, *words: str) -> bytes:
    try:
        return run(["git", *words], cwd=tree, timeout=_LISTING_S).stdout
    except CommandError as error:
        raise LauncherError(f"the files of {tree} could not be listed for the pod to compare: {error}") from error


def _line(name: str, digest: str) -> str:
    """Coreutils mark a line with a backslash when its name holds a line break, a return or a backslash."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"
