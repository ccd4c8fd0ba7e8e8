"""The script that sbatch gets, as text; nothing here touches the world.

Paths may hold any character, so none stands in an `#SBATCH` line: the run's folder is the job's working directory,
which sbatch takes as an argument.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from types import MappingProxyType

from autoresearch.config.duration import span
from autoresearch.launchers.slurm.options import Allocation, SlurmOptions
from autoresearch.machine.processes import RUN_NAME
from autoresearch.run.job import Job
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec

SCRIPT, COMMAND = "job.sh", "command.sh"
OUTPUT = "slurm-%j.out"
IN_JOB, IN_JOB_LOG = "in-job.sh", "ray.sub.log"
"""What starts ray.sub on its share of a warm allocation, and what ray.sub prints there."""
NODES, SLOT, JOB_FACTS = "AUTORESEARCH_NODES", "AUTORESEARCH_SLOT", ("PARTITION", "ACCOUNT")
"""Variables by which a run in a warm allocation learns of its nodes, of its place in the order of clusters that are
alive at a time, and, behind AUTORESEARCH_, of its job."""
_MARGIN_S = 60.0
"""What a job gets beyond limit and grace, for its start and its end."""
_OURSELVES_MB = 512
"""Memory for our own watcher, so that Slurm's limit is not met before the run's."""


def minutes(limit_s: float, grace_s: float) -> int:
    """Slurm's limit for a run of ours: whole minutes, never before our own has had its grace."""
    return math.ceil((limit_s + grace_s + _MARGIN_S) / 60)


def above(where: str, longest: float, limit_s: float, grace_s: float, asked: float, *, held: bool) -> str:
    """What to do about jobs that are longer than their partition allows, in words; times in seconds."""
    told = f"{where} lets a job run for {span(longest)} at most"
    if held:
        return f"{told} and an allocation asks for {span(asked)}; lower the launcher's option allocation.time"
    most = longest - grace_s - _MARGIN_S
    cure = f"say 'each' {span(most)} or less in the stop rule" if most >= 1 else "that is too short for any run"
    more = f"a run of {span(limit_s)} asks for {span(asked)}, its end included"
    return f"{told} and {more}; {cure}, or take another partition"


def directives(job: Job, options: SlurmOptions, name: str, grace_s: float) -> list[str]:
    """The flags for sbatch, one each, without paths."""
    need = job.resources
    gres = options.gres or (f"gpu:{need.gpus_per_node}" if need.gpus_per_node else None)
    memory = None if need.memory_gb is None else f"{memory_mb(need.memory_gb)}M"
    named = {
        "job-name": name,
        "nodes": need.nodes,
        "time": None if job.limit_s is None else minutes(job.limit_s, grace_s),
        "account": options.account,
        "partition": options.partition,
        "qos": options.qos,
        "gres": gres,
        "cpus-per-task": need.cpus,
        "mem": memory,
        "constraint": options.constraint,
        "nodelist": options.nodelist,
        "exclude": _excluded(job, options),
        "output": OUTPUT,
    }
    flags = [f"--{flag}={value}" for flag, value in named.items() if value is not None]
    return [*flags, "--requeue" if options.requeue else "--no-requeue", "--open-mode=append", *options.extra]


def _excluded(job: Job, options: SlurmOptions) -> str | None:
    """What the person and the campaign leave out; who names the nodes of a run gets them."""
    if options.nodelist:
        return options.exclude
    return ",".join(filter(None, (options.exclude, *job.avoid_nodes))) or None


def batch(spec: SupervisorSpec, flags: list[str], options: SlurmOptions) -> str:
    """The script of style `batch`."""
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {flag}" for flag in flags),
        "",
        *_what(spec),
        *options.setup,
        *_our_python(options),
        f'exec "$python" -P -m autoresearch.launchers.on_node {quote(f"{spec.folder}/{run_folder.SPEC}")}',
    ]
    return "\n".join(lines) + "\n"


def allocation_directives(job: Job, options: SlurmOptions, held: Allocation, name: str) -> list[str]:
    """The flags for sbatch of a warm allocation that is large enough for runs like this one."""
    need = job.resources
    wanted = replace(
        job,
        limit_s=None,
        resources=replace(
            need,
            nodes=held.nodes,
            gpus_per_node=need.gpus_per_node * held.runs,
            memory_gb=None
            if need.memory_gb is None
            else (memory_mb(need.memory_gb) * held.runs - _OURSELVES_MB) * 2**20 / 1e9,
        ),
    )
    flags = directives(wanted, options, name, 0.0)
    # One dead node ends its own runs, and Slurm takes it out of the allocation. The script's node takes all with it.
    survives = ["--no-kill"] if held.nodes > 1 else []
    whole = ["--exclusive"] if options.container and "--exclusive" not in options.extra else []
    return [f"--time={math.ceil(held.time / 60)}", f"--ntasks-per-node={held.runs}", *survives, *whole, *flags]


def memory_mb(memory_gb: float) -> int:
    """What Slurm is asked for, in its megabytes, for a run with this limit: our own watcher needs some too."""
    return math.ceil(memory_gb * 1e9 / 2**20) + _OURSELVES_MB


def allocation(flags: list[str], options: SlurmOptions, held: Allocation, spool: str) -> str:
    """The script of a warm allocation."""
    settings = f"{quote(spool)} {held.nodes * held.runs} {held.idle:g} $(({math.floor(held.time)} - SECONDS))"
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {flag}" for flag in flags),
        "",
        f"# a warm allocation: runs handed over in {spool!r} become steps of it".replace("\n", " "),
        *(options.setup if options.style == "batch" else ()),  # ray.sub runs them in its containers
        *_our_python(options),
        f'exec "$python" -P -m autoresearch.launchers.slurm.warm_node {settings}',
    ]
    return "\n".join(lines) + "\n"


def handed_over(spec: SupervisorSpec, script: str, files: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a run in a warm allocation does, with the script of the allocation it may be the first to need."""
    more = [f"# {line}".rstrip() for name, text in files.items() for line in (f"{name}:", *text.splitlines())]
    return "\n".join([script, *_what(spec), "# handed over through the spool, and started there with srun", *more, ""])


def _what(spec: SupervisorSpec) -> list[str]:
    command = " ".join(quote(word) for word in spec.argv)
    return [
        *_comment(f"run {spec.run_id!r}, {_limit(spec)}; under supervision it does:"),
        *_comment(f"  cd {quote(spec.directory)} && {_settings(spec)}{command}"),
        *_comment(f"  > {quote(spec.log)} 2>&1"),
        *_comment("  in a sandbox, if the node can make one" if spec.sandbox else ""),
    ]


def _our_python(options: SlurmOptions) -> list[str]:
    return [
        f"python={quote(options.python)}",
        'if ! [ -x "$python" ]; then',
        '  echo "node $(hostname) has no $python; set the launcher\'s option python to one that all nodes see" >&2',
        "  exit 127",
        "fi",
    ]


def in_job(spec: SupervisorSpec, options: SlurmOptions, name: str, gpus_per_node: int) -> str:
    """Starts ray.sub on a run's own nodes of a warm allocation, as if they were a job of its own.

    ray.sub takes its nodes, partition and account from Slurm's variables, and srun those that it may choose from
    (`--exclude` of the nodes in SLURM_JOB_NODELIST). Its steps get the run's name, so that they are found and ended;
    its containers too, for pyxis takes one of that name up again. The ports of a head are its own within what upstream
    leaves for them (1200 to 1300 in ray.sub's table); the others may be those of its neighbours, on nodes of their own.
    """
    variables = ray_sub_variables(spec, options, gpus_per_node)
    ports = {"PORT": 1200, "RAY_CLIENT_SERVER_PORT": 1201}
    own = [f"export {port}=$(({first} + 2 * ({SLOT} % 50)))" for port, first in ports.items() if port not in variables]
    lines = [
        "#!/bin/bash",
        f"job=$SLURM_JOB_ID nodes=${NODES}",
        'for found in "${!SLURM_@}"; do [ "$found" = SLURM_CONF ] || unset "$found"; done',
        "export SLURM_JOB_ID=$job SLURM_JOBID=$job SLURM_JOB_NODELIST=$nodes SLURM_NODELIST=$nodes",
        "all=(${nodes//,/ })",
        "export SLURM_JOB_NUM_NODES=${#all[@]} SLURM_NNODES=${#all[@]}",
        *(f"export SLURM_JOB_{fact}=${{AUTORESEARCH_{fact}:-none}}" for fact in JOB_FACTS),
        f"export SLURM_SUBMIT_DIR={quote(spec.directory)} run_name={quote(name)}",
        "srun() {",
        "  local word words=()",
        '  for word; do [[ $word = --container-name=* ]] && word+=-$run_name; words+=("$word"); done',
        '  [ "$BASHPID" = "$$" ] || exec srun --job-name="$run_name" "${words[@]}"',
        '  command srun --job-name="$run_name" "${words[@]}"',
        "}",
        "export -f srun",
        f"cd {quote(spec.directory)} || exit",
        *(f"export {variable}={quote(value)}" for variable, value in variables.items()),
        *own,
        f"bash {quote(options.ray_sub)}",
        "code=$?",
        f"[ -e {quote(spec.log)} ] || cp {quote(f'{spec.folder}/{IN_JOB_LOG}')} {quote(spec.log)}",
        "exit $code",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def around_ray_sub(spec: SupervisorSpec) -> SupervisorSpec:
    """What is carried out on the head of a cluster in a warm allocation: ray.sub, with a log of its own."""
    ours = {variable: value for variable, value in spec.env.items() if variable == RUN_NAME}
    argv = ("bash", f"{spec.folder}/{IN_JOB}")
    return spec._replace(argv=argv, env=ours, log=f"{spec.folder}/{IN_JOB_LOG}")


def beside_others(spec: SupervisorSpec) -> str:
    """What ray.sub starts on the head of a cluster in a warm allocation: the supervisor of ray.sub keeps the limit."""
    command = " ".join(quote(word) for word in spec.argv)
    lines = (
        "#!/bin/bash",
        f"cd {quote(spec.directory)} || exit",
        _printing_to(spec),
        f"exec env {_settings(spec)}{command}",
    )
    return "\n".join(lines) + "\n"


def container_lines(spec: SupervisorSpec, options: SlurmOptions, name: str) -> SupervisorSpec:
    """The same run inside a pyxis container, if there is one: our supervisor stays outside and watches srun."""
    if options.container is None:
        return spec
    mounts = ",".join((*options.container_mounts, *_own_mounts(spec)))
    # On the node where it was asked for: a warm allocation has others, with other runs.
    here = (
        ("bash", "-c", f'exec srun --nodelist="$SLURMD_NODENAME" --job-name={name} "$@"') if options.allocation else ()
    )
    srun = (
        *here, "srun", "--nodes=1", "--ntasks=1", "--overlap", "--kill-on-bad-exit=1",
        f"--container-image={options.container}", f"--container-mounts={mounts}",
        f"--container-workdir={spec.directory}", *options.srun,
    )  # fmt: skip
    return spec._replace(argv=(*srun, *spec.argv))


def ray_sub(spec: SupervisorSpec, flags: list[str], options: SlurmOptions, gpus_per_node: int) -> str:
    """What style `ray.sub` does, as a script that can be pasted into a shell."""
    variables = ray_sub_variables(spec, options, gpus_per_node)
    lines = [
        "#!/bin/bash",
        f"# run {spec.run_id!r}, {_limit(spec)}".replace("\n", " "),
        f"cd {quote(spec.directory)} || exit",
        *(f"export {name}={quote(value)}" for name, value in variables.items()),
        "sbatch \\",
        *(f"  {quote(flag)} \\" for flag in submitted_elsewhere(flags, spec.folder)),
        f"  {quote(options.ray_sub)}",
        "",
        f"# What {COMMAND} is, which {options.ray_sub} starts in the container of the first node:",
        *(f"#   {line}" for line in command(spec).splitlines()),
    ]
    return "\n".join(lines) + "\n"


def submitted_elsewhere(flags: list[str], folder: str) -> list[str]:
    """The flags of a job that is submitted from another directory than the run's folder."""
    output = f"--output={folder.replace('%', '%%')}/{OUTPUT}"
    return [output if flag == f"--output={OUTPUT}" else flag for flag in flags]


def ray_sub_variables(spec: SupervisorSpec, options: SlurmOptions, gpus_per_node: int) -> dict[str, str]:
    """The environment in which NeMo-RL's ray.sub is submitted."""
    gpus = {"GPUS_PER_NODE": str(gpus_per_node)} if gpus_per_node else {}
    return {
        "COMMAND": f"bash {quote(f'{spec.folder}/{COMMAND}')}",
        "CONTAINER": options.container or "",
        "MOUNTS": ",".join((*options.container_mounts, *_own_mounts(spec))),
        "BASE_LOG_DIR": spec.folder,
        **({"SETUP_COMMAND": "\n".join(options.setup)} if options.setup else {}),
        **gpus,
        **options.env,
    }


def command(spec: SupervisorSpec) -> str:
    """A script that keeps the limit with coreutils alone and writes how it ended, for where we are not installed."""
    inner = " ".join(quote(word) for word in spec.argv)
    limit = 0.0 if spec.limit_s is None else spec.limit_s
    return f"""\
#!/bin/bash
ended_at={quote(f"{spec.folder}/{run_folder.EXIT}")}
for file in "$ended_at" {quote(spec.log)}; do
  [ -e "$file" ] && mv "$file" "$file.attempt-${{SLURM_RESTART_COUNT:-0}}"
done
cd {quote(spec.directory)} || exit
{_printing_to(spec)}
begun=$(date +%s)
timeout --signal=TERM --kill-after={spec.grace_s:g} {limit:g} \\
  env {_settings(spec)}{inner}
code=$?
ending=exited reason="exited with code $code"
if [ {limit:g} != 0 ] && [ $SECONDS -ge {math.floor(limit)} ] && [[ $code = 124 || $code = 137 ]]; then
  ending=timed-out reason="timed out: still running after {limit:g} s"
fi
printf '{{"ending": "%s", "reason": "%s", "exit_code": %d, "node": "%s", "started_at": %d, "ended_at": %d}}\\n' \\
  "$ending" "$reason" "$code" "$(hostname)" "$begun" "$(date +%s)" > "$ended_at.new"
mv "$ended_at.new" "$ended_at"
exit $code
"""


def _printing_to(spec: SupervisorSpec) -> str:
    """A line of shell after which all goes to the run's log, a file of its own: what is a link is never read."""
    log = quote(spec.log)
    return f"echo printing to {log}; exec > {log} 2>&1"


def _own_mounts(spec: SupervisorSpec) -> tuple[str, str]:
    return (f"{spec.directory}:{spec.directory}", f"{spec.folder}:{spec.folder}")


def _limit(spec: SupervisorSpec) -> str:
    if spec.limit_s is None:
        return "no limit"
    return f"limit {spec.limit_s:g} s, then TERM, {spec.grace_s:g} s, KILL"


def _settings(spec: SupervisorSpec) -> str:
    return "".join(f"{name}={quote(value)} " for name, value in spec.env.items())


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in text.splitlines()]
