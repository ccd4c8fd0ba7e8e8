"""What every launcher promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

import json
import time
from collections.abc import Callable
from pathlib import Path

from autoresearch.machine.processes import process_info
from autoresearch.ports.launcher import Kept, Launcher
from autoresearch.ports.plugins import gaps, made_with
from autoresearch.run.job import Job, JobState, JobStatus, Resources

LauncherMaker = Callable[[], Launcher]


class JobFactory:
    """Makes jobs that run a shell script, each in a folder of its own below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(
        self,
        script: str = "true",
        *,
        name: str = "run-1",
        limit_s: float | None = 30.0,
        grace_s: float = 0.5,
        max_log_bytes: int = 1 << 20,
        memory_gb: float | None = None,
        gpus: int = 0,
    ) -> Job:
        """A job; its folder exists afterwards."""
        tree, folder = self.root / "tree", self.root / "runs" / name
        for place in (tree, folder):
            place.mkdir(parents=True, exist_ok=True)
        return Job(
            run_id=name,
            argv=("sh", "-c", script),
            directory=str(tree),
            folder=str(folder),
            log=str(folder / "run.log"),
            env={"GREETING": "hello, 'you' $HOME"},
            resources=Resources(gpus_per_node=gpus, memory_gb=memory_gb),
            limit_s=limit_s,
            grace_s=grace_s,
            max_log_bytes=max_log_bytes,
        )


def settle(launcher: Launcher, job_id: str, patience_s: float = 200.0) -> JobStatus:
    """Poll a job until it has ended; its last status if it does not within `patience_s`."""
    until = time.monotonic() + patience_s
    while not (status := launcher.states([job_id])[job_id]).state.ended and time.monotonic() < until:
        time.sleep(0.02)
    return status


class LauncherContract:
    """What every launcher promises. Give it the fixtures `make` (a LauncherMaker) and `job` (a JobFactory)."""

    def test_it_has_the_shape_of_a_launcher(self, make: LauncherMaker) -> None:
        """Every attribute and method of the port, and it is made with `options=` and `folder=`."""
        assert gaps("launchers", make()) == ()
        assert made_with(type(make()), "options", "folder") == ""

    def test_a_plan_sends_nothing(self, make: LauncherMaker, job: JobFactory) -> None:
        """Planning twice gives the same text and leaves no job behind."""
        launcher, wanted = make(), job()
        assert launcher.plan(wanted) == launcher.plan(wanted)
        assert launcher.find(wanted.run_id) is None

    def test_a_plan_is_text_that_can_be_kept(self, make: LauncherMaker, job: JobFactory) -> None:
        """It says whose request it is, and survives being written as JSON and read back by another process."""
        launcher, wanted = make(), job()
        plan = launcher.plan(wanted)
        assert (plan.run_id, plan.launcher, plan.folder) == (wanted.run_id, launcher.name, wanted.folder)
        assert plan.text
        assert json.loads(json.dumps(plan.payload)) is not None

    def test_submitting_twice_gives_one_job(self, make: LauncherMaker, job: JobFactory) -> None:
        """A second submission of one run returns the job of the first."""
        launcher = make()
        plan = launcher.plan(job())
        assert launcher.submit(plan) == launcher.submit(plan)

    def test_a_submitted_run_is_found_again(self, make: LauncherMaker, job: JobFactory) -> None:
        """After a crash between submitting and writing down the job id, the run id is enough."""
        launcher = make()
        job_id = launcher.submit(launcher.plan(job()))
        assert make().find("run-1") == job_id

    def test_an_unknown_run_is_not_found(self, make: LauncherMaker) -> None:
        """Nobody has submitted it, so it may be submitted."""
        assert make().find("never-submitted") is None

    def test_an_unknown_job_has_vanished(self, make: LauncherMaker) -> None:
        """Asking about a job nobody knows is answered, not an error."""
        assert make().states(["never-submitted"])["never-submitted"].state is JobState.VANISHED

    def test_one_question_answers_for_all(self, make: LauncherMaker, job: JobFactory) -> None:
        """States come for exactly the jobs asked for."""
        launcher = make()
        ids = [launcher.submit(launcher.plan(job(name=f"run-{number}"))) for number in range(3)]
        assert set(launcher.states(ids)) == set(ids)
        assert launcher.states([]) == {}

    def test_a_new_launcher_adopts_the_jobs_of_the_old(self, make: LauncherMaker, job: JobFactory) -> None:
        """Nothing a launcher knows is lost with its process."""
        launcher = make()
        job_id = launcher.submit(launcher.plan(job()))
        assert settle(make(), job_id).state is JobState.SUCCEEDED

    def test_the_keeper_of_a_run_is_gone_with_it(self, make: LauncherMaker, job: JobFactory) -> None:
        """Who waits for a run by a process waits for nothing once the run has ended, or was never there."""
        launcher = make()
        if not isinstance(launcher, Kept):
            return
        job_id = launcher.submit(launcher.plan(job()))
        settle(launcher, job_id)
        kept = launcher.keeper(job_id)
        left = process_info(kept[0]) if kept else None
        assert left is None or left.dead or (left.pid, left.started) != kept
        assert launcher.keeper("never-submitted") is None

    def test_cancelling_late_changes_nothing(self, make: LauncherMaker, job: JobFactory) -> None:
        """A job that has ended stays as it ended."""
        launcher = make()
        job_id = launcher.submit(launcher.plan(job()))
        settle(launcher, job_id)
        launcher.cancel(job_id)
        assert launcher.states([job_id])[job_id].state is JobState.SUCCEEDED

    def test_cancelling_what_never_was_is_fine(self, make: LauncherMaker) -> None:
        """Clean-up after a crash need not know what had been submitted."""
        make().cancel("never-submitted")
        assert make().leftovers("never-submitted") == ()

    def test_odd_names_are_just_names(self, make: LauncherMaker, job: JobFactory) -> None:
        """Spaces, quotes, line breaks and letters of any script in paths and run ids do no harm."""
        launcher = make()
        odd = JobFactory(job.root / "a 'b' \"c\"\n$d é漢")
        job_id = launcher.submit(launcher.plan(odd(name="run 'ü' $x\n1")))
        assert settle(launcher, job_id).state is JobState.SUCCEEDED


class ProcessContract(LauncherContract):
    """What launchers that run commands promise beyond that."""

    def test_success_and_failure_are_told_apart(self, make: LauncherMaker, job: JobFactory) -> None:
        """The exit code of the command is the exit code of the job."""
        launcher = make()
        good = launcher.submit(launcher.plan(job("exit 0", name="good")))
        bad = launcher.submit(launcher.plan(job("exit 3", name="bad")))
        assert (settle(launcher, good).state, settle(launcher, good).exit_code) == (JobState.SUCCEEDED, 0)
        assert (settle(launcher, bad).state, settle(launcher, bad).exit_code) == (JobState.FAILED, 3)

    def test_the_log_holds_both_streams(self, make: LauncherMaker, job: JobFactory) -> None:
        """What the command prints anywhere is in the log, and its variables were set."""
        launcher, wanted = make(), job('echo "$GREETING"; echo oops >&2')
        settle(launcher, launcher.submit(launcher.plan(wanted)))
        text = Path(wanted.log).read_text()
        assert "hello, 'you' $HOME\n" in text
        assert "oops\n" in text

    def test_it_runs_where_it_was_told_to(self, make: LauncherMaker, job: JobFactory) -> None:
        """The working directory is the experiment's worktree."""
        launcher, wanted = make(), job("pwd > here; cat here")
        settle(launcher, launcher.submit(launcher.plan(wanted)))
        assert Path(wanted.directory, "here").read_text().strip() == wanted.directory

    def test_one_submission_one_start(self, make: LauncherMaker, job: JobFactory) -> None:
        """A run submitted again, also by another launcher, is not started again."""
        plan = make().plan(job("echo started >> count"))
        settle(make(), make().submit(plan))
        settle(make(), make().submit(plan))
        assert (job.root / "tree" / "count").read_text() == "started\n"

    def test_the_limit_ends_everything(self, make: LauncherMaker, job: JobFactory) -> None:
        """Past its limit a job is over, with all it started, also what ignores TERM."""
        launcher = make()
        job_id = launcher.submit(launcher.plan(job("trap '' TERM; sleep 60 & wait; sleep 60", limit_s=0.5)))
        status = settle(launcher, job_id)
        assert status.state is JobState.TIMED_OUT
        assert launcher.leftovers(job_id) == ()

    def test_cancelling_twice_is_fine(self, make: LauncherMaker, job: JobFactory) -> None:
        """The first cancel ends the job, the second finds nothing to do."""
        launcher = make()
        job_id = launcher.submit(launcher.plan(job("sleep 60")))
        launcher.cancel(job_id)
        launcher.cancel(job_id)
        assert settle(launcher, job_id).state is JobState.CANCELLED
        assert launcher.leftovers(job_id) == ()

    def test_what_lives_is_named(self, make: LauncherMaker, job: JobFactory) -> None:
        """While a job runs, its leftovers say so: an empty answer is a proof, not a default."""
        launcher = make()
        job_id = launcher.submit(launcher.plan(job("sleep 60")))
        assert launcher.leftovers(job_id)
        launcher.cancel(job_id)
        settle(launcher, job_id)
