"""Frameworks beside NeMo-RL: one class each keeps the suite, and what only one of them has is below it."""

import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import plugin_packages

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.metrics.files import FileSource
from autoresearch.metrics.logs import LogSource
from autoresearch.ports import plugins
from autoresearch.ports.plugins import chosen_source
from autoresearch.run.measurement import Readings, Series
from autoresearch.targets.command import CommandTarget
from autoresearch.targets.curve_rules import ROLES, RULES, RunCurves, shown_by
from autoresearch.targets.dialects import recognition
from autoresearch.targets.recipe import shell_text
from autoresearch.testing.dialects import DialectContract

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
GOLDEN = Path(__file__).parents[1] / "golden" / "frameworks"
YAML = (
    "# small\nlearning_rate: 1e-5  # as the paper\nmax_steps: 20\nreward_funcs: [rewards.exact]\ndataset_name: sums\n"
)
TOML = """max_steps = 20  # short
[orchestrator]
batch_size = 128
group_size = 16
[orchestrator.train.sampling]
max_completion_tokens = 128
[trainer.optim]
lr = 3e-6
[deployment]
num_train_gpus = 1
num_infer_gpus = 1
"""
SHELL = """set -x
project=tests
DATA=(
    data.train_files=$HOME/data/train.parquet
    data.val_files=data/test.parquet
    data.train_batch_size=128   # prompts
)
ACTOR=(
    actor_rollout_ref.actor.optim.lr=1e-6
    actor_rollout_ref.actor.use_kl_loss=True
    actor_rollout_ref.actor.kl_loss_coef=0.001
    # actor_rollout_ref.actor.grad_clip=9.0
    actor_rollout_ref.rollout.n=5
)
python3 -m verl.trainer.main_ppo "${DATA[@]}" "${ACTOR[@]}" algorithm.adv_estimator=grpo \\
    trainer.logger='["console","wandb"]' trainer.project_name=$project \\
    trainer.n_gpus_per_node=8 trainer.nnodes=2 \\
    trainer.total_training_steps=100 $@
"""


def left_by(framework: str):
    """What a run of a framework leaves, and what it printed."""

    def write(folder: Path) -> str:
        shutil.copytree(GOLDEN / framework, folder, dirs_exist_ok=True)
        log = folder / "run.log"
        return log.read_text(encoding="utf-8") if log.is_file() else ""

    return write


def placed(folder: Path, **files: str) -> Path:
    """A tree with files."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


class TestTrl(DialectContract):
    @pytest.fixture
    def dialect(self):
        return "trl"

    @pytest.fixture
    def command(self):
        return ("trl", "grpo", "--config", "grpo.yaml", "--beta=0.01")

    @pytest.fixture
    def tree(self, tmp_path):
        tree = placed(tmp_path / "tree", grpo__yaml=YAML, rewards__py="def exact(): ...\n")
        (tree / "sums").mkdir()
        return tree

    @pytest.fixture
    def write(self):
        return left_by("trl")

    def test_what_measures_is_protected_by_its_name_in_the_file(self, spoken):
        """The local data set and the file of the reward functions."""
        assert spoken.protect == ("sums/**", "rewards.py")

    def test_the_command_line_wins_over_the_file(self, spoken):
        """As in TRL: what is said twice is turned where it counts."""
        at = {knob.name: (knob.place, knob.default) for knob in spoken.knobs}
        assert (at["beta"], at["learning_rate"]) == (("flag", 0.01), ("key", 1.0e-5))
        assert (at["epsilon_high"], spoken.steps) == (("flag", 0.2), 20)

    def test_a_file_for_the_launch_is_not_the_one_of_the_settings(self, tree):
        """How many processes there are stands before what they train; a file that holds itself is refused."""
        (tree / "zero.yaml").write_text("num_processes: 2\n")
        said = ("trl", "grpo", "--accelerate_config", "zero.yaml", "--config", "grpo.yaml")
        assert recognition.recognise(tree, said).config == "grpo.yaml"
        (tree / "grpo.yaml").write_text("a: &a\n  b: *a\n")
        with pytest.raises(CampaignError, match=r"grpo.yaml holds itself"):
            recognition.recognise(tree, said)


class TestVerl(DialectContract):
    @pytest.fixture
    def dialect(self):
        return "verl"

    @pytest.fixture
    def command(self):
        lr = "actor_rollout_ref.actor.optim.lr=1e-6"
        return ("python3", "-m", "verl.trainer.main_ppo", "algorithm.adv_estimator=grpo", lr, "trainer.logger=console")

    @pytest.fixture
    def tree(self, tmp_path):
        return placed(tmp_path / "tree")

    @pytest.fixture
    def write(self):
        return left_by("verl")

    def test_it_is_told_to_write_its_numbers_and_not_to_resume(self, spoken):
        """Upstream resumes by itself from what lies in its folder, and its lines are in a file only when asked."""
        assert "trainer.resume_mode=disable" in spoken.argv
        assert 'trainer.logger=["console","file"]' in spoken.argv
        assert spoken.options["env"] == {"VERL_FILE_LOGGER_PATH": "{folder}/metrics.jsonl"}

    def test_every_file_of_a_list_that_measures_is_protected(self, tree):
        """Upstream's own examples name several held-out files in one quoted list."""
        for name in ("a.parquet", "b.parquet"):
            (tree / name).touch()
        said = ("python3", "-m", "verl.trainer.main_ppo", "data.val_files=['a.parquet','b.parquet']")
        assert recognition.recognise(tree, said).protect == ("a.parquet", "b.parquet")
        for odd in ("a" * 5000, "['a", "2024-13-45", "[" * 3000, "{a: 1}"):
            assert recognition.recognise(tree, (*said[:3], f"data.val_files={odd}")).protect == ()


class TestVerlScript(TestVerl):
    """The same in a shell script with arrays."""

    @pytest.fixture
    def command(self):
        return ("bash", "run.sh")

    @pytest.fixture
    def tree(self, tmp_path):
        tree = placed(tmp_path / "tree", run__sh=SHELL)
        (tree / "data").mkdir()
        (tree / "data" / "test.parquet").touch()
        return tree

    def test_it_is_told_to_write_its_numbers_and_not_to_resume(self, spoken):
        """What the script logs to is kept, and what it says of machines and steps is known."""
        assert 'trainer.logger=["console","wandb","file"]' in spoken.argv
        assert (spoken.gpus, spoken.nodes, spoken.steps, spoken.algorithms) == (8, 2, 100, ("grpo",))
        assert spoken.protect == ("data/test.parquet",)
        assert "actor_rollout_ref.actor.kl_loss_coef" in spoken.space

    def test_a_setting_of_the_script_is_edited_where_it_stands(self, tree):
        """One word changes; comments, arrays and what has variables stay as they are."""
        after = shell_text.edit_text(SHELL, ["actor_rollout_ref.actor.optim.lr=3.0e-06"])
        assert [line for line in after.splitlines() if line not in SHELL.splitlines()] == [
            "    actor_rollout_ref.actor.optim.lr=3.0e-06"
        ]
        for key in ("data.train_files", "actor_rollout_ref.actor.grad_clip", "trainer.project_name"):
            with pytest.raises(RecipeError, match="that the script sets to a plain value"):
                shell_text.edit_text(SHELL, [f"{key}=1"])

    def test_a_script_that_keeps_its_arguments_to_itself_is_refused(self, tree, command):
        """No run could be told its folder; the cure is in the sentence."""
        (tree / "run.sh").write_text(SHELL.replace("$@", ""))
        with pytest.raises(CampaignError, match=r'run.sh starts verl .*write "\$@" behind'):
            recognition.recognise(tree, command)
        (tree / "run.sh").write_text("# hands on $@\n" + SHELL.replace("$@", ""))
        with pytest.raises(CampaignError, match='write "'):
            recognition.recognise(tree, command)

    def test_a_comment_speaks_to_nobody(self, tree, command):
        """The script runs something else and only remembers how it was once done."""
        (tree / "run.sh").write_text("  # python3 -m verl.trainer.main_ppo $@\npython3 train.py\n")
        assert recognition.recognise(tree, command) is None


class TestPrimeRl(DialectContract):
    @pytest.fixture
    def dialect(self):
        return "prime-rl"

    @pytest.fixture
    def seedless(self):
        return True

    @pytest.fixture
    def command(self):
        return ("uv", "run", "rl", "@", "rl.toml", "--trainer.optim.weight-decay", "0.02")

    @pytest.fixture
    def tree(self, tmp_path):
        return placed(tmp_path / "tree", rl__toml=TOML)

    @pytest.fixture
    def write(self):
        return left_by("prime_rl")

    def test_the_last_file_that_says_a_setting_is_where_it_is_turned(self, tree, command):
        """`rl @ base.toml @ mine.toml`: the second wins, and what it does not say stays in the first."""
        (tree / "mine.toml").write_text("max_steps = 9\n[trainer.optim]\nlr = 5e-6\n")
        spoken = recognition.recognise(tree, (*command[:5], "@", "mine.toml"))
        at = {knob.name: (knob.file, knob.default) for knob in spoken.knobs}
        assert at["trainer.optim.lr"] == ("mine.toml", 5e-6)
        assert at["orchestrator.group_size"] == ("rl.toml", 16)
        assert spoken.steps == 9

    @pytest.mark.parametrize("section", ["[resume]\nstep = 5\n", "[resume]\n", "[slurm]\njob_name = 'x'\n"])
    def test_what_no_campaign_can_have_is_refused(self, tree, command, section):
        """A resume would begin every run at one checkpoint; a job of its own would end before it has begun."""
        (tree / "rl.toml").write_text(TOML + section)
        with pytest.raises(CampaignError, match=r"rl.toml has (?:resume|slurm): .*take the section out"):
            recognition.recognise(tree, command)
        (tree / "rl.toml").write_text(TOML)
        (tree / "more.toml").write_text(section)
        with pytest.raises(CampaignError, match=r"more\.toml has"):
            recognition.recognise(tree, (*command, "@", "more.toml"))


LILT = """
from autoresearch.ports.dialect import Concept, Dialect

LILT = Dialect(
    name="lilt", title="Lilt", read_at="nowhere", spoken=(r"-m lilt\\b",), place="argument",
    forced=(("out", "{folder}/out"), ("seed", "{seed}")), sources=({"type": "jsonl", "path": "log.jsonl"},),
    metrics=((r"held_out/score", "maximize"),),
    concepts={
        "lr": Concept("opt.lr", 0.01, within=(1e-6, 1.0, True)), "kl": Concept("kl", 0.1), "group": Concept("n", 8, "int"),
        "clip-grad": Concept("opt.clip", 1.0),
    },
    curves={"reward": ("score",), "loss": ("pg",), "gradient": ("norm",)},
    protect_keys=("out", "seed"),
)
"""


class TestNew(DialectContract):
    """A framework that nobody has heard of: one value in a file, one class here, and all that is promised holds."""

    @pytest.fixture(autouse=True)
    def package(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("package")
        plugin_packages.write(folder, {"dialects": {"lilt": "their_adapters:LILT"}}, LILT)
        recognition.known.cache_clear()
        with plugin_packages.installed(folder):
            yield
        recognition.known.cache_clear()

    @pytest.fixture
    def dialect(self):
        return "lilt"

    @pytest.fixture
    def command(self):
        return ("python", "-m", "lilt", "n=4")

    @pytest.fixture
    def tree(self, tmp_path):
        return placed(tmp_path / "tree")

    @pytest.fixture
    def write(self):
        rows = [
            {"step": at, "score": at / 9, "pg": 0.1 / (at + 1), "norm": 1.0, "held_out/score": at / 8}
            for at in range(9)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        return lambda folder: str((folder / "log.jsonl").write_text(text))


@pytest.mark.parametrize("framework", ["trl", "verl"])
def test_printed_lines_give_the_numbers_of_the_file(framework, tmp_path):
    """What is on the console is the same curve, as far as its digits go."""
    dialect = recognition.named(framework)
    log = left_by(framework)(tmp_path)
    printed = recognition.printed_sources(dialect, log)
    assert len(printed) >= 15
    name = {"trl": "eval_reward", "verl": "val-core/openai/gsm8k/acc/mean@1"}[framework]
    held = {"trl": [(0.7811, 0.7732)], "verl": [(0.3125, 0.4325, 0.5525, 0.6725)]}[framework][0]
    spec = chosen_source(printed[name], name)
    assert LogSource(options=spec.options).read(tmp_path).series[name].values == pytest.approx(held, abs=1e-4)


def test_verls_steps_are_those_that_it_prints(tmp_path):
    """Every line says its step; validation before training is step 0."""
    left_by("verl")(tmp_path)
    name = "val-core/openai/gsm8k/acc/mean@1"
    spec = chosen_source(recognition.printed_source(recognition.named("verl"), name), name)
    assert LogSource(options=spec.options).read(tmp_path).series[name].steps == (0, 4, 8, 12)


def test_rules_speak_of_every_dialects_curves():
    """One table for all frameworks: the same fall of entropy is the same symptom under four names."""
    from autoresearch.targets.nemo_rl import health

    spoken = {name: one.curves for name, one in recognition.known().items()} | {"nemo-rl": health.ROLES}
    assert {role for roles in spoken.values() for role in roles} <= set(ROLES)
    for roles in spoken.values():
        tag = roles["entropy"][0].removeprefix("(?:data/)?")
        curve = Series.of(tag, [(step, 1.0 / (1 + step)) for step in range(20)])
        found = shown_by(RULES, RunCurves({"files": Readings(series={tag: curve})}, roles))
        assert [one.name for one in found] == ["entropy-collapse"]


def test_a_script_of_ones_own_is_run_as_it_is(tmp_path):
    """Known by its import: its numbers and curves are, and its command line is its own."""
    tree = placed(tmp_path / "tree", train__py="from trl import GRPOTrainer\nLEARNING_RATE = 1e-5\n")
    found = recognition.recognise(tree, ("python3", "train.py"))
    assert found is not None
    assert (found.own, found.argv, found.algorithms) == (True, ("python3", "train.py"), ("grpo",))
    assert recognition.spelled(found.dialect, {"LEARNING_RATE": 1e-5})["lr"] == "LEARNING_RATE"


def test_a_path_in_a_configuration_is_no_knob_in_any_dialect(tmp_path):
    """With another model or other data the number measures something else; a person may name the key to allow it."""
    (tmp_path / "grpo.yaml").write_text("model_name_or_path: ./tiny\nlearning_rate: 1.0e-5\n")
    options = {"dialect": "trl", "config": "grpo.yaml"}
    target = partial(CommandTarget, command=("trl", "grpo"), objective={"metric": "eval_reward"})
    assert "model_name_or_path" in target(options=options).survey(tmp_path).protect_keys
    assert "learning_rate" not in target(options=options).survey(tmp_path).protect_keys
    allowed = {"model_name_or_path": {"key": "model_name_or_path", "file": "grpo.yaml"}}
    assert "model_name_or_path" not in target(options={**options, "knobs": allowed}).survey(tmp_path).protect_keys


def test_a_dialect_that_is_none_is_refused_with_those_that_are():
    """A misspelt name costs no campaign."""
    with pytest.raises(
        CampaignError, match=r"there is no dialect 'tlr'; target.dialect is one of: prime-rl, trl, verl"
    ):
        recognition.named("tlr")


@pytest.mark.parametrize("framework", ["trl", "verl", "prime-rl"])
def test_a_log_cut_at_any_byte_gives_no_half_number(framework, tmp_path):
    """Of the last lines of each file: what is read of a cut one is what is read of the whole one, or less."""
    dialect = recognition.named(framework)
    source = dialect.sources[0]
    spec = chosen_source(source, "reward")
    golden = GOLDEN / framework.replace("-", "_") / str(source["path"])
    text = golden.read_bytes()
    rows = json.dumps({"log_history": json.loads(text)["log_history"][-1:]}).encode() if framework == "trl" else b""
    content = rows or b"".join(text.splitlines(keepends=True)[-2:])
    path = tmp_path / golden.name

    def read(cut: bytes) -> set[tuple[str, int, float]]:
        path.write_bytes(cut)
        found = FileSource(options=spec.options).read(tmp_path).series
        return {(tag, *point) for tag, one in found.items() for point in one.points()}

    known = read(content) | read(content.splitlines(keepends=True)[0])
    assert len(known) >= 20
    assert all(read(content[:at]) <= known for at in range(len(content)))


@pytest.mark.parametrize("page", ["trl", "verl", "prime-rl", "lightning"])
def test_what_the_pages_say_of_a_campaign_file_is_understood(page):
    """Every block about `target` makes a target, and its source."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        options = yaml.safe_load(block)["target"]
        kind = options.pop("type")
        asked = {"metric": "val-core/openai/gsm8k/acc/mean@1", "direction": "maximize"}
        target = plugins.make("targets", kind, command=("python3", "x"), objective=asked, options=options)
        for one in target.sources():
            plugins.make("metrics", one.name, options=one.options)


def test_the_line_that_the_page_of_verl_reads_is_verls(tmp_path):
    """The pattern on the page and the one of the dialect find the same curve."""
    left_by("verl")(tmp_path)
    name = "val-core/openai/gsm8k/acc/mean@1"
    text = (DOCS / "verl.md").read_text(encoding="utf-8")
    written = yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[0])["target"]["source"]
    known = recognition.printed_source(recognition.named("verl"), name)
    read = [LogSource(options=chosen_source(one, name).options).read(tmp_path).series[name] for one in (written, known)]
    assert read[0] == read[1]
    assert len(read[0].steps) == 4


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc.=\"'#$()\\ \n+1e-_[],", max_size=200))
def test_any_text_is_read_as_a_shell_script(text):
    """Nothing is raised, and writing what was read changes nothing."""
    document = shell_text.read_text(text)
    flat = dict(recognition._flat(document))
    for key, value in flat.items():
        if isinstance(value, int) and not isinstance(value, bool):
            assert shell_text.edit_text(text, [f"{key}={value}"]) == text
