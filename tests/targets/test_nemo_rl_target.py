import json
from dataclasses import replace

import pytest

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.guards.scope import Scope, breaches
from autoresearch.ports import plugins
from autoresearch.ports.target import RunRequest
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Readings, Series
from autoresearch.targets.nemo_rl import protection
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"
DPO = "examples/configs/dpo.yaml"


def target(recipe=GRPO, **settings: object):
    return plugins.load("targets", "nemo-rl")(recipe=recipe, **settings)


def request(checkout, folder, limit_s=3600.0):
    return RunRequest(
        run_id="c-base-1",
        tree=checkout,
        folder=folder,
        log=folder / "run.log",
        seed=7,
        limit_s=limit_s,
        commit="c" * 40,
        overrides=("grpo.num_prompts_per_step=16",),
    )


@pytest.fixture
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


def test_a_survey_tells_everything_a_plan_shows(checkout):
    """Metric, command, resources, lineage, protection, traits and values of a recipe."""
    survey = target().survey(checkout)
    assert survey.objective.tag == "validation/accuracy"
    assert survey.command == ("uv", "run", "examples/run_grpo.py")
    assert survey.lineage == (GRPO,)
    assert (survey.protect, survey.protect_keys) == (protection.files(), protection.keys())
    assert survey.facts.traits >= {"grpo", "dtensor", "vllm", "colocated"}
    assert survey.facts.values["grpo.seed"] == 42


def test_a_goal_against_the_recipes_direction_is_a_question(checkout):
    """It is asked before anything begins; where the direction was said it is a warning, and one that agrees is neither."""
    lower = {"goal": "reduce the validation accuracy"}
    assert (
        "says 'reduce', but the direction of val:accuracy is maximize"
        in target(objective=lower).survey(checkout).unsaid
    )
    said = target(objective={**lower, "direction": "maximize"}).survey(checkout)
    assert said.unsaid == ""
    assert any("one of the two is wrong" in one for one in said.warnings)
    assert target(objective={"goal": "raise validation accuracy"}).survey(checkout).unsaid == ""


def test_an_evaluation_is_not_a_recipe_to_train(checkout):
    """Nothing is trained by it, and that is said."""
    with pytest.raises(RecipeError, match="trains nothing"):
        target("examples/configs/evals/eval.yaml").survey(checkout)


def test_a_file_of_another_program_is_no_recipe_whatever_command_is_named(checkout):
    """It would have become a campaign for `train:loss`, which that program never writes."""
    (checkout / "sft.yaml").write_text("lr: 0.1\nmodel:\n  depth: 3\n")
    foreign = plugins.make("targets", "nemo-rl", recipe="sft.yaml", command=("python3", "finetune.py"))
    with pytest.raises(RecipeError, match="say --target command for a script outside NeMo-RL"):
        foreign.survey(checkout)


def test_broken_worker_environments_are_built_anew_beside_the_shared_ones(checkout, folder):
    """In the run's own folder: others use what is shared."""
    env = target().job(replace(request(checkout, folder), rebuild=True)).env
    assert (env["NRL_FORCE_REBUILD_VENVS"], env["NEMO_RL_VENV_DIR"]) == ("true", f"{folder}/caches/venvs")
    assert "NRL_FORCE_REBUILD_VENVS" not in target().job(request(checkout, folder)).env


def test_a_job_is_the_whole_command(checkout, folder):
    """Recipe, the run's overrides, injections, and the worktree first on the path."""
    job = target().job(request(checkout, folder))
    assert job.argv[:5] == ("uv", "run", "examples/run_grpo.py", "--config", GRPO)
    assert job.argv[5] == "grpo.num_prompts_per_step=16"
    assert f"logger.log_dir={folder}/logs" in job.argv
    assert job.env["PYTHONPATH"].split(":")[0] == str(checkout)
    assert load(checkout, GRPO, job.argv[5:]).get("grpo.seed") == 7


def test_the_campaigns_command_wins(checkout, folder):
    """A command of the campaign replaces the default one; recipe and overrides still follow it."""
    job = target(command=["python", "train.py"]).job(request(checkout, folder))
    assert job.argv[:4] == ("python", "train.py", "--config", GRPO)


def test_a_job_leaves_its_resolved_recipe_and_the_probe(checkout, folder):
    """What ran can be told from the run folder alone."""
    target().job(request(checkout, folder))
    kept = json.loads((folder / "recipe.json").read_text())
    assert (kept["commit"], kept["resolved"]["grpo"]["seed"]) == ("c" * 40, 7)
    assert kept["resolved"]["checkpointing"]["checkpoint_dir"] == f"{folder}/checkpoints"
    assert (folder / ".probe" / "sitecustomize.py").is_file()


def test_a_dry_run_writes_nothing(checkout, tmp_path):
    """Planning a job for a folder that does not exist leaves it so."""
    job = target().job(request(checkout, tmp_path / "later"))
    assert not (tmp_path / "later").exists()
    assert job.limit_s == 3600.0


def test_overrides_are_written_into_the_recipe(checkout):
    """The file that changed is named; what is so already names none."""
    assert target().apply(checkout, ["grpo.num_prompts_per_step=64"]) == (GRPO,)
    assert target().apply(checkout, ["grpo.num_prompts_per_step=64"]) == ()
    with pytest.raises(RecipeError, match="override"):
        target().apply(checkout, ["grpo.nothing=1"])


def measured(checkout, folder, **options: str):
    """The measurement of a run that reached its last step, with 0.5 in its event files."""
    surveyed = target(options=options)
    surveyed.survey(checkout)
    surveyed.job(request(checkout, folder))
    series = (Series("validation/accuracy", (10,), (0.5,)), Series("train/loss", (9, 10), (0.2, 0.1)))
    readings = {name: Readings({one.tag: one for one in series}) for name in ("tensorboard", "logs")}
    return surveyed.measure(folder, _LOG, readings, JobStatus(state=JobState.SUCCEEDED, exit_code=0))


def test_a_run_of_other_code_has_no_number(checkout, folder):
    """A value measured on code that is not the experiment's does not count, and the reason is told."""
    said = {"nemo_rl": f"{checkout.resolve()}/nemo_rl/__init__.py"}
    (folder / "provenance.json").write_text(json.dumps(said))
    assert (measured(checkout, folder).value, measured(checkout, folder).integrity.finding) == (0.5, "sound")
    (folder / "provenance-mismatch-h-1.json").write_text('{"nemo_rl": "/elsewhere/nemo_rl/__init__.py"}')
    found = measured(checkout, folder)
    assert (found.value, found.completion.value) == (None, "crashed")
    assert "imported nemo_rl from /elsewhere" in found.note
    assert found.symptoms[0].name == "provenance-mismatch"


def test_a_number_whose_code_is_not_known_does_not_count(checkout, folder):
    """A job that never said what it imported is a crash with that reason, unless the campaign takes it with a note."""
    found = measured(checkout, folder)
    assert (found.value, found.completion.value, found.symptoms[0].fault) == (None, "crashed", "environment")
    assert "never said which nemo_rl it imported" in found.symptoms[0].evidence
    noted = measured(checkout, folder, provenance="noted")
    assert (noted.value, noted.integrity.finding) == (0.5, "unverified")  # two sources agree, and that code wrote both
    assert "nothing proves that this is the experiment's code" in noted.note


_LOG = "========================= Step 10/10 =========================\nMax number of steps has been reached, stopping training early\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stpes": 3}, "'stpes' is not an option of nemo-rl"),
        ({"steps": "3"}, "steps cannot be '3'"),
        ({"steps": True}, "steps cannot be True"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"expected": 2.0}, "expected between 0 and 1"),
        ({"validations": "median"}, "not known"),
        ({"provenance": "maybe"}, "provenance is `required` or `noted`"),
    ],
)
def test_options_are_checked(options, message):
    """A misspelt or impossible option is refused when the campaign is planned."""
    with pytest.raises(CampaignError, match=message):
        target(options=options)


def test_the_search_space_holds_free_knobs_only(checkout):
    """Numeric knobs the recipe reads, around its values; nothing protected, nothing of another backend."""
    space = target().survey(checkout).facts.space
    assert space["policy.optimizer.kwargs.lr"] == {"type": "float", "low": 5e-7, "high": 5e-5, "log": True}
    assert space["grpo.num_generations_per_prompt"]["type"] == "int"
    assert breaches((), Scope(protect_keys=protection.keys()), {}, dict(space)) == ()
    assert "policy.megatron_cfg.optimizer.lr" not in space
    assert "policy.generation.temperature" not in space


@pytest.mark.parametrize(("reached", "state", "small"), [(8, "TIMED_OUT", True), (25, "TIMED_OUT", False)])
def test_a_run_cut_after_a_few_steps_judges_nothing(tmp_path, reached, state, small):
    """R113 holds for what a run became too: eight of five hundred steps are plumbing, whatever the recipe says."""
    series = Series("validation/accuracy", (5, reached), (0.2, 0.4))
    steps = Series("train/loss", tuple(range(1, reached + 1)), (0.1,) * reached)
    readings = {"tensorboard": Readings({"validation/accuracy": series, "train/loss": steps})}
    found = target().measure(tmp_path, "", readings, JobStatus(state=JobState[state]))
    assert found.value == 0.4
    assert bool(found.plumbing) is small
