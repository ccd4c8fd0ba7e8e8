import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import commit_all
from tests.surfaces.test_dry_run import begin, dry, sent

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.cli.main import main
from autoresearch.errors import CampaignError

STOP = "20 experiments or 10h total, 1h each"
GRPO = "examples/configs/recipes/llm/grpo-llama3.2-1b-instruct-1n8g-fsdp2tp1.v3.yaml"
SCRIPT = """\
# ===== BEGIN CONFIG =====
NUM_NODES=1
STEPS_PER_RUN=500
MAX_STEPS=500
NUM_RUNS=1
NUM_MINUTES=30
# ===== END CONFIG =====
uv run examples/run_grpo.py --config $CONFIG_PATH
"""


@pytest.fixture(scope="module")
def repository(nemo, tmp_path_factory):
    """NeMo-RL's example configs as a repository: entry points as empty files, one test script."""
    root = tmp_path_factory.mktemp("RL")
    shutil.copytree(nemo / "examples", root / "examples")
    for name in ("run_grpo.py", "run_grpo_single_controller.py", "run_dpo.py", "nemo_gym/run_grpo_nemo_gym.py"):
        (root / "examples" / name).touch()
    script = root / GRPO.replace("examples/configs/recipes", "tests/test_suites").replace(".yaml", ".sh")
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)
    (root / "ray.sub").touch()
    user = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*user, "commit", "-q", "-m", "RL")):
        subprocess.run(["git", *words], cwd=root, check=True)
    return Campaign(where=root)


def planned(repository, recipe):
    return repository.draft(PlanRequest(recipe, STOP, "night", {"launcher": {"type": "slurm"}}))


def test_a_plan_says_time_and_gpu_hours_of_a_run_and_of_the_night(repository):
    """Start-up is told apart, and so is what the stop rule leaves room for."""
    plan = planned(repository, GRPO)
    text = plan.text()
    assert "1 node(s) x 8 GPU, 500 steps, about 30m00s, 4.0 GPU-hours, including 5m00s of start-up" in text
    least, most = plan.runs
    assert f"{least} to {most} runs" in text
    assert f"{4 * least} to {4 * most} GPU-hours; start-up is" in text
    assert "the stop rule allows about 19 runs and 76 GPU-hours" in text


def test_a_run_of_unknown_length_is_bounded_by_its_limit(repository):
    """A recipe that ends with its data has no length of its own; the cap is what it can cost."""
    plan = planned(repository, "examples/configs/grpo_math_1B.yaml")
    assert plan.survey.minutes is None
    assert plan.hours_per_run == 1.0
    assert "at most 1h00m" in plan.text()


@pytest.mark.parametrize(
    ("recipe", "entry"),
    [
        (GRPO, "examples/run_grpo.py"),
        ("examples/configs/dpo.yaml", "examples/run_dpo.py"),
        ("examples/configs/grpo_math_1B_megatron_single_controller.yaml", "examples/run_grpo_single_controller.py"),
        ("examples/nemo_gym/grpo_nanov3.yaml", "examples/nemo_gym/run_grpo_nemo_gym.py"),
    ],
)
def test_a_dry_run_shows_the_command_and_leaves_nothing(repository, recipe, entry):
    """The right entry point, folders of the run's own, and afterwards no worktree and no campaign."""
    sent = repository.dry_run(planned(repository, recipe)).text
    assert f"uv run {entry} --config {recipe} logger.log_dir=" in sent
    assert "checkpointing.checkpoint_dir=" in sent
    assert ("val_at_end=true" in sent) is ("single_controller" not in recipe)
    assert repository.campaigns() == []
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository.where, check=True, capture_output=True)
    assert len(listed.stdout.splitlines()) == 1


def test_plumbing_is_shown_as_it_is_sent(repository, tmp_path):
    """Without GPUs where there are too few for it, with the probe; only the baseline's own commit is not known yet."""
    request = PlanRequest(
        GRPO,
        "1 experiment or 40m total",
        "plumbing",
        {"launcher": {"type": "local"}, "target": {"type": "nemo-rl", "steps": 2}},
    )
    session = Campaign(where=shutil.copytree(repository.where, tmp_path / "RL"))
    (session.where / "examples" / "prompts").mkdir(exist_ok=True)
    (session.where / "examples" / "prompts" / "cot.txt").touch()
    commit_all(session.where)
    session.write(session.draft(request))
    shown = dry(session.where)
    begin(session.where)
    kept = sent(session.where)
    (commit,) = re.findall(r"git_meta=(\w{40})", kept)
    assert (commit in shown, "/.probe" in shown) == (False, True)
    assert re.sub(r"git_meta=\w{40}", f"git_meta={commit}", shown) == kept
    assert dry(session.where) == kept


def test_several_nodes_without_ray_are_pointed_out(repository):
    """A plain batch job would leave all nodes but the first idle, and Ray would wait for GPUs that never come."""
    many = planned(repository, "examples/nemo_gym/grpo_nanov3.yaml")
    assert any("of 32 nodes only" in one and "style: ray.sub" in one for one in many.warnings)
    assert not any("ray.sub" in one for one in planned(repository, GRPO).warnings)


@pytest.mark.parametrize(
    ("stop", "why"),
    [
        ("4 experiments, 6m each", "as early as after 20 of 500 steps"),
        (
            "4 experiments, 5m40s each",
            "as early as after 13 of 500 steps; fewer than 20 steps judge no idea",
        ),
        (
            "4 experiments, 5m20s each",
            "and a run cut before that has no number and is a crash; no length fits: 20 steps, the fewest that judge an idea, want 'each' 7m",
        ),
        (
            "4 experiments, 6m30s each",
            "as early as after 30 of 500 steps",
        ),
    ],
)
def test_a_plan_says_what_a_cut_run_is_worth(repository, stop, why):
    """R113, R149: a cap that leaves a run no validation, or a handful of steps, is told before it is paid for."""
    plan = repository.draft(PlanRequest(GRPO, stop, "night", {"launcher": {"type": "slurm"}}))
    assert (
        next(one for one in plan.warnings if "it may be cut" in one)
        .replace(" by the slowest pace expected", "")
        .endswith(why)
    )


def test_a_recipe_that_ends_itself_too_early_is_pointed_out(repository):
    """Its own `checkpoint_must_save_by` cuts a run as well as ours does, with or without a cap."""
    mine = repository.where / "examples/configs/recipes/llm/grpo-short.yaml"
    script = repository.where / "tests/test_suites/llm/grpo-short.sh"
    mine.write_text(f"defaults: {Path(GRPO).name}\ncheckpointing: {{checkpoint_must_save_by: '00:00:00:20'}}\n")
    script.write_text(SCRIPT)
    try:
        found = planned(repository, str(mine.relative_to(repository.where))).warnings
    finally:
        mine.unlink()
        script.unlink()
    told = next(one for one in found if "may be cut" in one)
    assert told.startswith(
        "the recipe's own time limit ends a run within 5m: it may be cut, as early as after 6 of 500"
    )


def test_a_loss_has_no_noise_that_could_be_known_before(repository):
    """The plan says so and who measures it, rather than nothing."""
    told = planned(repository, "examples/configs/dpo.yaml").text()
    assert "the recipe does not say the noise of val:validation-default_loss; repeats" in told


def test_a_recipe_that_is_not_committed_is_called_so(repository):
    """A copy that was forgotten: the plan can be read, and what starts from the commit says what to do."""
    mine = repository.where / "examples/configs/mine.yaml"
    mine.write_text("defaults: grpo_math_1B.yaml\n")
    try:
        plan = planned(repository, "examples/configs/mine.yaml")
        assert any("mine.yaml is not in commit" in one and "commit it first" in one for one in plan.warnings)
        with pytest.raises(CampaignError, match=r"git add examples/configs/mine.yaml && git commit"):
            repository.dry_run(plan)
    finally:
        mine.unlink()


DEEPSCALER = "examples/configs/recipes/llm/grpo-deepscaler-1.5b-8K.yaml"


@pytest.fixture
def driven(repository, tmp_path):
    """The same with NeMo-RL's converter and driver, as empty files."""
    session = Campaign(where=shutil.copytree(repository.where, tmp_path / "RL"))
    (session.where / "examples" / "converters").mkdir()
    for name in ("converters/convert_dcp_to_hf.py", "run_eval.py"):
        (session.where / "examples" / name).touch()
    commit_all(session.where)
    return session


def evaluated(session, recipe, **settings: object):
    return session.draft(PlanRequest(recipe, STOP, "night", {"launcher": "slurm", "evaluate": "upstream", **settings}))


def test_a_plan_writes_an_evaluation_by_nemo_rls_own_driver(driven):
    """With the recipe's own validation set and sampling; plan and file say that its score alone counts."""
    plan = evaluated(driven, DEEPSCALER)
    driven.write(plan)
    written = driven.plan().campaign.evaluate
    assert written == plan.campaign.evaluate
    words = written.command[2].split()
    own = {"data.dataset_name=AIME2024", "eval.num_tests_per_prompt=16", "data.prompt_file=examples/prompts/cot.txt"}
    sampled = {"generation.temperature=1.0", "generation.vllm_cfg.max_model_len=8192", "cluster.gpus_per_node=1"}
    assert own | sampled <= set(words)
    assert "its number, score, counts in place of the run's own" in " ".join(plan.text().split())
    assert "does not say the noise of score" in " ".join(plan.text().split())
    assert "it takes up to 60 minutes of 1 GPU for each run, " in " ".join(plan.text().split())


def test_a_plan_without_an_evaluation_says_which_one_the_target_offers_and_what_it_costs(driven):
    """Not written by itself, for it is dear and another measure; nothing is offered where there is none."""
    asked, offer = {"launcher": "slurm"}, "nemo-rl can have one, whose number is another measure and counts alone"
    told = " ".join(driven.draft(PlanRequest(DEEPSCALER, STOP, "night", asked)).text().split())
    assert f"{offer}: plan --set evaluate=upstream; it takes up to 60 minutes of 1 GPU for each run, " in told
    assert "can have one" not in driven.draft(PlanRequest("examples/configs/dpo.yaml", STOP, "night", asked)).text()


@pytest.mark.parametrize(
    ("recipe", "settings", "why"),
    [
        (GRPO, {}, "does not read safetensors; commit checkpointing.model_save_format=torch_save"),
        ("examples/configs/dpo.yaml", {}, "dpo has no reward for any"),
        ("examples/nemo_gym/grpo_nanov3.yaml", {}, "its rewards are NeMo-Gym's"),
        ("examples/modelopt/qa_grpo_nano3_megatron.yaml", {}, "does not read checkpoints of Megatron"),
        ("examples/configs/recipes/llm/grpo-moonlight-16b-automodel-1n8g-ep8.yaml", {}, "its runs leave no checkpoint"),
        (DEEPSCALER, {"objective": {"metric": "throughput"}}, "its score is no performance/tokens_per_sec_per_gpu"),
        (DEEPSCALER, {"command": ["./train.sh"]}, "no Python script is among the words of ./train.sh"),
        ("", {"target": "command", "command": ["python3", "x.py"], "objective": {"metric": "score"}},
         "target command has no evaluation upstream"),
    ],
)  # fmt: skip
def test_a_recipe_that_nemo_rls_driver_cannot_judge_is_refused_and_why(driven, recipe, settings, why):
    """Who asks for an evaluation gets one or a line that says what is in its way."""
    with pytest.raises(CampaignError) as refused:
        evaluated(driven, recipe, **settings)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_driver_and_its_converter_have_to_be_in_the_checkout(repository):
    """An older or newer NeMo-RL may lack them."""
    with pytest.raises(CampaignError, match=r"convert_dcp_to_hf.py, examples/run_eval.py is not in this checkout"):
        evaluated(repository, DEEPSCALER)


def test_a_plan_says_what_is_saved_and_how_much_room_a_run_needs(repository):
    """The estimate becomes the room below which nothing begins; what a person says stands."""
    asked = {"launcher": {"type": "slurm", "parallel": 4}}
    plan = repository.draft(PlanRequest(GRPO, "20 experiments", "night", asked))
    assert (
        "one takes about 4 GB (1 billion parameters by its name, 4 bytes each, without optimizer state)" in plan.text()
    )
    assert (plan.campaign.run.min_free_gb, plan.campaign.run.checkpoints) == (48, "kept")
    said = {**asked, "run": {"checkpoints": "all", "min_free_gb": 1e9}}
    plan = repository.draft(PlanRequest(GRPO, "20 experiments", "night", said))
    assert "those of every idea stay" in plan.text()
    assert "`run` will refuse to begin: a run saves about 12 GB, run.min_free_gb asks for 1e+09 GB" in plan.text()


def test_a_plan_says_whether_it_is_rehearsed(repository):
    """Long runs on GPUs are, unless every launch waits for a person, or somebody said no."""
    for said, wanted in (({}, True), ({"approval": {"launch": "ask"}}, False), ({"run": {"rehearsal": "off"}}, False)):
        plan = repository.draft(PlanRequest(GRPO, "20 experiments", "night", {"launcher": {"type": "slurm"}, **said}))
        assert plan.rehearsed == wanted
        assert ("a short run with a validation goes before the baseline" in plan.text()) == wanted


def test_a_plan_without_a_number_is_not_written_unless_a_person_wants_it(repository, capsys):
    """Such a night costs its GPU-hours and shows nothing; the plan is shown with the length that would do."""
    words = ["plan", GRPO, "--launcher", "slurm", "--repo", str(repository.where), "--name", "cut"]
    file = repository.where / "reports" / "auto_research" / "cut" / "campaign.yaml"
    assert main([*words, "--stop", "4 experiments, 5m20s each"]) == 1
    said = capsys.readouterr()
    assert "one run:" in said.out
    assert "not written: val:accuracy exists first after step 10" in said.err
    assert "to have it as it is, add --anyway" in said.err
    assert not file.exists()
    try:
        assert main([*words, "--stop", "4 experiments, 5m20s each", "--anyway"]) == 0
        assert file.exists()
    finally:
        shutil.rmtree(repository.where / "reports")


def test_a_count_that_the_playbook_cannot_reach_brings_a_search(repository):
    """Fifty experiments of a recipe with ten plays; whoever is named stays alone, and the plan says what is missing."""
    pytest.importorskip("numpy")
    dpo, many = "examples/configs/dpo.yaml", "50 experiments"
    said = repository.draft(PlanRequest(dpo, many, "night", {"launcher": {"type": "slurm"}})).researchers
    assert ", then search (policy.optimizer.kwargs.lr" in said
    named = {"launcher": {"type": "slurm"}, "researcher": ["playbook"]}
    said = repository.draft(PlanRequest(dpo, many, "night", named)).researchers
    assert "49 ideas are asked for and they have " in said
    few = repository.draft(PlanRequest(dpo, "5 experiments", "night", {"launcher": {"type": "slurm"}}))
    assert [one.type for one in few.campaign.researcher] == ["playbook"]
