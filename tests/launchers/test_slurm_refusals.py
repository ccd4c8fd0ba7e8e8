"""What Slurm's sentences mean, and whose a job is."""

import pytest

from autoresearch.errors import LauncherError, NotNowError, RefusedError
from autoresearch.launchers.job_files import Record, Records
from autoresearch.launchers.slurm import commands, refusals
from autoresearch.launchers.slurm.accounts import may_be_ours
from autoresearch.launchers.slurm.commands import QueueLine
from autoresearch.launchers.slurm.status import SlurmView, status, unexplained
from autoresearch.run.job import JobState

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
NEVER = [
    f"{FAILED}Invalid account or account/partition combination specified",
    f"sbatch: error: invalid partition specified: nosuch\n{FAILED}Invalid partition name specified",
    f"{FAILED}Invalid qos specification",
    f"sbatch: error: Memory specification can not be satisfied\n{FAILED}Requested node configuration is not available",
    "sbatch: error: Invalid generic resource (gres) specification",
    f"{FAILED}Requested time limit is invalid (missing or exceeds some limit)",
    f"{FAILED}User's group not permitted to use this partition",
    f"{FAILED}Access/permission denied",
    f"sbatch: error: QOSMaxWallDurationPerJobLimit\n{POLICY}",
    "sbatch: unrecognized option '--foo=1'\nTry \"sbatch --help\" for more information",
    POLICY,
]
LATER = [
    f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{POLICY}",
    f"sbatch: error: AssocMaxSubmitJobLimit\n{POLICY}",
    f"sbatch: error: AssocGrpSubmitJobsLimit\n{POLICY}",
    f"{FAILED}MaxJobCount limit reached",
    f"{FAILED}Required node not available (down, drained or reserved)",
    f"{FAILED}Required partition not available (inactive or drain)",
    f"{FAILED}Rate limit exceeded, please retry momentarily",
]
NOBODY = [
    f"{FAILED}Unable to contact slurm controller (connect failure)",
    f"{FAILED}Socket timed out on send/recv operation",
    f"{FAILED}Slurm backup controller in standby mode",
    f"{FAILED}Protocol authentication error",
    "sbatch: fatal: Could not establish a configuration source",
]


@pytest.mark.parametrize("said", NEVER)
def test_refused_for_good(said):
    """An answer that will be the same next time, with Slurm's own sentence."""
    error = refusals.unsubmitted(said, "run r", 0)
    assert type(error) is RefusedError
    assert "sbatch" not in str(error).removesuffix('Try "sbatch --help" for more information')


@pytest.mark.parametrize("said", LATER)
def test_not_now(said):
    """An answer that another day may differ, with how many jobs are there already."""
    error = refusals.unsubmitted(said, "run r", 2)
    assert (type(error), "2 of your jobs" in str(error)) == (NotNowError, True)


def test_a_policy_without_a_name_is_a_limit_while_jobs_of_ours_are_there():
    """Without the reason, a full queue explains it, and an empty one does not."""
    assert type(refusals.unsubmitted(POLICY, "run r", 1)) is NotNowError
    assert type(refusals.unsubmitted(POLICY, "run r", 0)) is RefusedError


@pytest.mark.parametrize("said", NOBODY)
def test_no_answer(said):
    """Nothing is concluded."""
    assert type(refusals.unsubmitted(said, "run r", 0)) is LauncherError


@pytest.mark.parametrize(
    "reason",
    [
        "JobHeldAdmin", "JobHeldUser", "launch_failed_requeued_held", "(launch failed requeued held)", "BadConstraints",
        "PartitionTimeLimit", "QOSMaxWallDurationPerJobLimit", "AssocMaxCpuPerJobLimit", "PartitionConfig", "InvalidQOS",
        "DependencyNeverSatisfied", "waiting for its turn; Slurm refuses a warm allocation: Invalid qos specification",
    ],
)  # fmt: skip
def test_what_cannot_come_by_itself(reason):
    """A person or another request is needed."""
    assert refusals.stuck(reason)


@pytest.mark.parametrize(
    "reason",
    ["", "Priority", "Resources", "QOSMaxCpuPerUserLimit", "AssocGrpGRES", "ReqNodeNotAvail", "BeginTime", "Licenses",
     "QOSMaxJobsPerUserLimit", "QOSGrpCpuLimit", "Dependency", "Prolog"],
)  # fmt: skip
def test_what_may_come_by_itself(reason):
    """Waiting is right."""
    assert not refusals.stuck(reason)


RECORD = Record("run-b", "/b", "/b/log", "ar-b", "aaaa", 1000.0, "17")


def test_a_job_whose_node_could_not_start_it_is_no_waiting_job():
    """Slurm holds it for good; it never began, and the run is made again elsewhere."""
    row = QueueLine("17", "PENDING", reason="launch_failed_requeued_held", name="ar-b", submitted_at=1001.0)
    found = status(SlurmView(RECORD, row, {}, None, 1010.0, 0.0))
    assert (found.state, "launch_failed" in found.reason) == (JobState.FAILED, True)


@pytest.mark.parametrize(
    ("reached", "node", "reason", "state"),
    [
        (False, "", "", JobState.FAILED),
        (False, "drained Prolog error", "", JobState.FAILED),
        (False, "idle none", "", JobState.CANCELLED),
        (False, "mixed- none", "", JobState.CANCELLED),
        (False, "drained Prolog error", "Prolog", JobState.CANCELLED),
        (True, "", "", JobState.CANCELLED),
    ],
)
def test_a_launch_that_its_node_never_came_to_is_no_cancel(reached, node, reason, state):
    """Slurm cancels a job whose Prolog fails, and sets its node aside; a node that is well had nothing to do with it."""
    row = QueueLine("17", "CANCELLED by 0", node="n1", reason=reason, name="ar-b", submitted_at=1001.0, ended_at=1002.0)
    found = status(SlurmView(RECORD, row, {}, None, 1010.0, 0.0, reached=reached, node_state=node))
    assert (found.state, "launch failed" in found.reason, found.node) == (state, state is JobState.FAILED, "n1")


@pytest.mark.parametrize(
    ("row", "ours"),
    [
        (QueueLine("17", "RUNNING", comment="autoresearch:aaaa", name="ar-b"), True),
        (QueueLine("17", "FAILED", comment="autoresearch:bbbb", name="ar-b"), False),
        (QueueLine("17", "FAILED", name="ar-a", submitted_at=1001.0), False),
        (QueueLine("17", "FAILED", name="ar-b", submitted_at=100.0), False),
        (QueueLine("17", "FAILED", name="ar-b", submitted_at=1001.0), True),
    ],
)
def test_an_id_alone_is_nobodys(row, ours):
    """Ids wrap and sites lose their state: a job is ours by its token, or by its name and the time it was sent."""
    assert may_be_ours(row, RECORD) is ours


def test_an_id_that_comes_twice_is_the_newest_runs(tmp_path):
    """Whether the old record was looked at before or not."""
    records = Records(tmp_path)
    records.put(RECORD._replace(run_id="run-z", asked_at=10.0))
    assert records.of_job("17").run_id == "run-z"
    records.put(RECORD)
    assert records.of_job("17").run_id == Records(tmp_path).of_job("17").run_id == "run-b"


def test_the_accounts_row_of_another_job_with_our_id_does_not_count():
    """Of two rows of one id, the later is not ours."""
    cells = "COMPLETED|0:0|n1|{}|1|2||{}|{}"
    text = "\n".join("17|" + cells.format(*one) for one in [(1001, "", "ar-b"), (2000, "", "other")])
    found = commands.parse_sacct(text, lambda row: may_be_ours(row, RECORD))
    assert found["17"].name == "ar-b"


@pytest.mark.parametrize(
    ("ended", "open_"),
    [
        ({"ending": "preempted", "exit_code": None}, True),
        ({"ending": "exited", "exit_code": 143}, True),
        ({"ending": "exited", "exit_code": 1}, False),
        ({"ending": "timed-out", "exit_code": 137}, False),
        (None, False),
    ],
)
def test_which_ends_the_accounts_are_asked_about(ended, open_):
    """Those by a signal that the run's supervisor did not send."""
    assert unexplained(ended) is open_
