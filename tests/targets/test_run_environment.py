"""How a recipe runs here: the variables it needs, the Python it gets in an image, logins, and what dies in set-up."""

from pathlib import Path

import pytest

from autoresearch.campaign import surroundings
from autoresearch.campaign.surroundings import target_of
from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import CampaignError
from autoresearch.experiment.events import CampaignStarted
from autoresearch.experiment.history import fold
from autoresearch.ports.target import RunRequest
from autoresearch.targets.nemo_rl import NemoRLTarget
from autoresearch.targets.nemo_rl.cost import test_script as script_of
from autoresearch.targets.recipe.load import load

NAME = "grpo-qwen3-30ba3b-8n8g-megatron"
RECIPE = f"examples/configs/recipes/llm/{NAME}.yaml"
SCRIPT = """\
source $SCRIPT_DIR/common.env
export NRL_IGNORE_TP_ACCURACY_CHECK=1
export NCCL_NVLS_ENABLE="0"
export EXP_NAME="$TQ_EXP_NAME"
export NRL_R3_TRACE=1
# ===== BEGIN CONFIG =====
NUM_NODES=8
MAX_STEPS=30
NUM_MINUTES=240
# ===== END CONFIG =====
uv run examples/run_grpo.py \\
    --config $CONFIG_PATH \\
    grpo.max_num_steps=$MAX_STEPS \\
    policy.model_name=$NRL_BF16_CKPT \\
    policy.tokenizer.name="$NRL_BF16_CKPT" \\
    checkpointing.checkpoint_dir=$CKPT_DIR \\
    $@
"""
SECRETS = (
    "WANDB_API_KEY",
    "WANDB_MODE",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_HOME",
    "NRL_IGNORE_TP_ACCURACY_CHECK",
)


@pytest.fixture
def suite(checkout, monkeypatch, tmp_path):
    """The checkout with this recipe's test script, in an account that has no login at all."""
    script = checkout / f"tests/test_suites/llm/{NAME}.sh"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    return checkout


def job(root, recipe=RECIPE, *, image=False):
    target = NemoRLTarget(recipe=recipe)
    target.in_image = image
    folder = Path("/runs/lr/run-2")
    return target.job(RunRequest(run_id="ar-night--raise-lr--2", tree=root, folder=folder, log=folder / "run.log", seed=7,
                                 limit_s=3600.0, commit="0" * 40))  # fmt: skip


def told(root, recipe=RECIPE, *, image=False):
    target = NemoRLTarget(recipe=recipe)
    target.in_image = image
    return "\n".join(target.survey(root).warnings)


def test_a_test_scripts_exports_and_missing_inputs_are_read(suite):
    """Plain exports, and keys from variables that nothing sets; not the suite's own names, nor traces for debugging."""
    script = script_of(suite, load(suite, RECIPE))
    assert script.exports == {"NRL_IGNORE_TP_ACCURACY_CHECK": "1", "NCCL_NVLS_ENABLE": "0"}
    assert script.needs == {"policy.model_name": "NRL_BF16_CKPT", "policy.tokenizer.name": "NRL_BF16_CKPT"}


def test_exports_reach_the_run_and_missing_inputs_are_named(suite):
    """Both are told in the plan."""
    assert job(suite).env.items() >= {("NRL_IGNORE_TP_ACCURACY_CHECK", "1"), ("NCCL_NVLS_ENABLE", "0")}
    assert "runs get NRL_IGNORE_TP_ACCURACY_CHECK=1, NCCL_NVLS_ENABLE=0, which tests/test_suites/llm/" in told(suite)
    assert "policy.model_name from $NRL_BF16_CKPT" in told(suite)


def test_a_recipe_that_dies_in_set_up_is_told_before_it_costs_a_start(suite):
    """Where nothing switches upstream's check off, the plan says what it would refuse, and where."""
    assert "refuse every run" not in told(suite)
    (suite / f"tests/test_suites/llm/{NAME}.sh").unlink()
    said = told(suite)
    assert (
        "NeMo-RL would refuse every run at its start: policy.train_micro_batch_size and policy.logprob_batch_size differ"
        in said
    )
    assert "nemo_rl/models/policy/lm_policy.py:207" in said


def test_in_an_image_the_images_own_environments_are_used(suite, monkeypatch):
    """Neither variable of this machine hides the image's, nothing is synced, and nobody is told to sync."""
    (suite / "uv.lock").touch()
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "/mine/venv")
    monkeypatch.setenv("NEMO_RL_VENV_DIR", "/mine/venvs")
    monkeypatch.setenv("PYTHONPATH", "/mine/packages")
    inside, outside = job(suite, image=True), job(suite)
    assert not {"UV_PROJECT_ENVIRONMENT", "NEMO_RL_VENV_DIR"} & set(inside.env)
    assert inside.argv[:3] == ("uv", "run", "--no-sync")
    assert "/mine" not in inside.env["PYTHONPATH"]
    assert {"UV_PROJECT_ENVIRONMENT", "NEMO_RL_VENV_DIR"} <= set(outside.env)
    for name in ("UV_PROJECT_ENVIRONMENT", "NEMO_RL_VENV_DIR"):
        monkeypatch.delenv(name)
    assert "uv sync" in told(suite)
    assert "uv sync" not in told(suite, image=True)


@pytest.mark.parametrize(("launcher", "image"), [
    ({"type": "slurm", "container": "/images/nemo-rl.sqsh"}, True),
    ({"type": "slurm"}, False),
    ({"type": "kubernetes", "image": "nvcr.io/nvidia/nemo-rl:v0.7.0"}, True),
    ({"type": "local"}, False),
])  # fmt: skip
def test_the_launcher_says_whether_runs_begin_in_an_image(launcher, image):
    """Asked of its class, so that the plan knows it as well."""
    campaign = CampaignConfig(campaign="c", target="nemo-rl", recipe="r.yaml", stop="1 experiment", launcher=launcher)
    assert target_of(campaign).in_image is image


def test_every_run_has_a_name_of_its_own_in_wandb(suite):
    """In one group per campaign, with the idea as a tag; a recipe that does not log there gets nothing."""
    named = {
        "++logger.wandb.name=ar-night--raise-lr--2",
        "++logger.wandb.group=ar-night",
        "++logger.wandb.tags=[raise-lr]",
    }
    assert set(job(suite).argv) >= named
    assert not any("wandb" in word for word in job(suite, "examples/configs/grpo_math_1B.yaml").argv)


def test_without_a_key_wandb_keeps_runs_on_disk(suite, monkeypatch):
    """It would ask for a key and end the run; a container's key is not ours to know, so there it is told only."""
    assert job(suite).env["WANDB_MODE"] == "offline"
    assert "no WANDB_API_KEY is known here: logs are kept offline" in told(suite)
    assert "WANDB_MODE" not in job(suite, image=True).env
    assert "make sure that the container has it" in told(suite, image=True)
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert "WANDB_MODE" not in job(suite).env
    assert "WANDB_API_KEY" not in told(suite)


def test_a_gated_model_without_a_token_is_told(suite, monkeypatch):
    """Every run would end while it loads; a model that anybody may have asks for none."""
    gated = "examples/configs/recipes/llm/grpo-llama3.2-1b-instruct-1n8g-fsdp2tp1.v3.yaml"
    assert "meta-llama/Llama-3.2-1B-Instruct may be gated on the hub and no HF_TOKEN is known here" in told(
        suite, gated
    )
    assert "may be gated" not in told(suite)
    monkeypatch.setenv("HF_TOKEN", "t")
    assert "may be gated" not in told(suite, gated)


def campaign_on(launcher):
    """A campaign of the recipe with this launcher."""
    return CampaignConfig(campaign="c", target="nemo-rl", recipe=RECIPE, stop="1 experiment", launcher=launcher)


def taken_up(root, launcher, later, *, corrected=False):
    """What is said when a campaign is taken up with a `later` launcher, and what is frozen from then on."""
    began, now = campaign_on(launcher), campaign_on(later)
    frozen = surroundings.seen(target_of(began).survey(root), began)
    history = fold([CampaignStarted(at=0.0, campaign="c", base_commit="0", approved_by="Ada", survey=frozen)])
    target = target_of(now)
    return surroundings.compared(now, history, target.survey(root), target, corrected=corrected)


def test_a_key_of_wandb_that_is_lost_on_the_way_is_refused(suite, monkeypatch):
    """Every run would end at its start, asking for it; a choice to log offline, made by hand, is kept to."""
    monkeypatch.setenv("WANDB_API_KEY", "k")
    began = campaign_on({"type": "local"})
    frozen = surroundings.seen(target_of(began).survey(suite), began)
    history = fold([CampaignStarted(at=0.0, campaign="c", base_commit="0", approved_by="Ada", survey=frozen)])
    monkeypatch.delenv("WANDB_API_KEY")
    target = target_of(began)
    with pytest.raises(CampaignError, match=r"no key is known here any more.*WANDB_MODE=offline; nothing was started"):
        surroundings.compared(began, history, target.survey(suite), target, corrected=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "WANDB_API_KEY was known" in surroundings.compared(
        began, history, target.survey(suite), target, corrected=False)[0]  # fmt: skip


def test_a_corrected_launcher_corrects_the_place_of_runs_before_the_first_and_no_later(suite):
    """What is frozen is replaced once; with runs behind it, another place is refused, for numbers would differ."""
    before, after = ({"type": "slurm", "container": f"/images/{name}.sqsh"} for name in ("typo", "right"))
    told, frozen = taken_up(suite, before, after, corrected=True)
    assert told.startswith("the place of runs is corrected with the launcher: image: /images/right.sqsh")
    assert frozen.place["image"] == "/images/right.sqsh"
    with pytest.raises(CampaignError, match=r"froze image: /images/typo.sqsh.*put the launcher's options back"):
        taken_up(suite, before, after)


def test_the_place_of_a_run_on_kubernetes_is_its_image_and_what_is_mounted(suite):
    """The same words in the plan and in what is frozen; another claim is another place."""
    pods = {"type": "kubernetes", "image": "nvcr.io/nvidia/nemo-rl:v0.7.0",
            "volumes": [{"claim": "work", "mount": "/work"}, {"claim": "data", "mount": "/data"}]}  # fmt: skip
    campaign = campaign_on(pods)
    found = surroundings.around(campaign, target_of(campaign).survey(suite))
    assert found.place == {"image": "nvcr.io/nvidia/nemo-rl:v0.7.0", "mounts": "work:/work + data:/data"}
    assert taken_up(suite, pods, pods) == ("", None)
    with pytest.raises(CampaignError, match="their numbers could not be compared"):
        taken_up(suite, pods, {**pods, "volumes": [{"claim": "other", "mount": "/work"}]})
