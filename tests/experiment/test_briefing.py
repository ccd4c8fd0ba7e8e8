"""The brief: complete, bounded, and nothing in it can pose as structure."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.experiment.briefing import brief_text, plain, sections, task_of, telling_curves
from autoresearch.experiment.hypothesis import Brief, Curve, Facts, Level, Tried
from autoresearch.run.complaint import last_traceback
from autoresearch.run.measurement import Objective, Series
from autoresearch.run.symptom import Severity, Symptom

OBJECTIVE = Objective("raise validation accuracy", "val:accuracy", meaning="mean reward over the validation set")


def test_code_is_shown_to_the_letter():
    """A glob keeps its stars, a number its sign, an override its plus signs."""
    known = Facts({"loss_fn.kl": -0.5})
    tried = Tried(index=2, name="kl", title="less", overrides=("++loss_fn.kl=-1", "~grpo.extra"))
    brief = Brief(
        campaign="night",
        index=3,
        objective=OBJECTIVE,
        facts=known,
        tried=(tried,),
        allow=("**",),
        protect=("**/reward*.py",),
    )
    text = brief_text(brief)
    for words in ("- `**`\n", "- `**/reward*.py`\n", "- `loss_fn.kl` = `-0.5`\n", "`++loss_fn.kl=-1 ~grpo.extra`"):
        assert words in text


def test_a_default_budget_asks_for_low_risk():
    """Only where nobody gave a stop rule (R93)."""
    asked = [
        sections(Brief(campaign="night", index=2, objective=OBJECTIVE, low_risk=low_risk))["objective"]
        for low_risk in (True, False)
    ]
    assert ["low-risk idea only" in text for text in asked] == [True, False]


def test_it_says_everything_a_researcher_needs():
    """Objective, budget, steering, lineage and values, symptoms, what was tried with its interval, scope with sizes."""
    tried = Tried(
        index=2,
        name="lr",
        title="raise lr",
        area="optimizer",
        overrides=("lr=2e-6",),
        status="discard",
        effect=-0.01,
        low=-0.03,
        high=0.01,
        reason="worse",
    )
    brief = Brief(
        campaign="night", index=3, objective=OBJECTIVE, stop_sentence="2/9 attempted", recipe="a.yaml", parent="baseline", facts=Facts({"lr": 1e-6}, frozenset({"grpo"}), 8),
        symptoms=(Symptom("entropy-collapse", Severity.WARNING, "0.9 to 0.1", advice="raise temperature"),), tried=(tried,), noise=0.004,
        steering=("try warmup",), allow=("configs/**",), protect=("eval/**",), protect_keys=("val.*",), lineage=("a.yaml", "base.yaml"), max_files=5, max_lines=100,
    )  # fmt: skip
    text = brief_text(brief)
    for words in (
        "maximize `val:accuracy`", "2/9 attempted", "0.004", "try warmup", "`base.yaml`", "`lr` = `1e-06`", "entropy-collapse",
        "raise temperature", "#2 raise lr `lr=2e-6`: discard, effect -0.01 [-0.03, +0.01]. worse", "at most 5 files",
        "100 lines", "`configs/**`", "`eval/**`", "`val.*`",
    ):  # fmt: skip
        assert words in text


def test_it_says_where_the_metric_stands_and_how_a_run_goes():
    """Level of baseline, start and best, an arm once; what a run takes; the parent's curves, thinned."""
    brief = Brief(
        campaign="night",
        index=3,
        objective=OBJECTIVE,
        levels=(
            Level("baseline", "baseline", 0.5, 3),
            Level("the one you start from", "lr", 0.6, 2),
            Level("best so far", "lr", 0.6, 2),
        ),
        running=("it executes `uv run train.py`", "its peak memory was 61.0 GB"),
        curves=(Curve("train/kl", ((1, 0.01), (50, 0.2))),),
        read_more=("git log --oneline --branches='autoresearch/night/*'",),
    )
    text = brief_text(brief)
    assert "Level: baseline: 0.5 (`baseline`, 3 runs); the one you start from, best so far: 0.6 (`lr`, 2 runs)." in text
    assert "- `train/kl` by step: 1: 0.01, 50: 0.2\n" in text
    assert "- it executes `uv run train.py`\n" in text
    assert "- `git log --oneline --branches='autoresearch/night/*'`" in text


def test_reasons_of_kept_ideas_near_misses_and_the_place_of_crashes_are_told():
    """With the branch to look at; what was tried without a chance has its line only."""
    tried = (
        Tried(index=2, name="a", title="A", status="keep", rationale="rewards were sparse", branch="x/night/a"),
        Tried(
            index=3, name="b", title="B", status="discard", effect=0.01, high=0.03, rationale="variance", branch="x/b"
        ),
        Tried(index=4, name="c", title="C", status="discard", effect=-0.1, high=-0.01, rationale="no chance"),
        Tried(index=5, name="d", title="D", status="crash", failure='File "train.py", line 7, in f\nKeyError: 1'),
    )
    text = sections(Brief(campaign="night", index=6, objective=OBJECTIVE, tried=tried))["tried"]
    assert "- #2 `x/night/a`: rewards were sparse" in text
    assert "- #3 `x/b`: variance" in text
    assert "no chance" not in text
    assert '#5 crashed here:\n\n```text\nFile "train.py", line 7, in f\nKeyError: 1\n```' in text


def test_protected_keys_of_other_algorithms_are_left_out():
    """A GRPO recipe says nothing of what DPO measures by."""
    brief = Brief(campaign="n", index=2, objective=OBJECTIVE, facts=Facts({"grpo.steps": 1}), protect_keys=("grpo.val*", "dpo.val*", "**.seed"))  # fmt: skip
    text = sections(brief)["scope"]
    assert ["`grpo.val*`" in text, "`dpo.val*`" in text, "`**.seed`" in text] == [True, False, True]


def test_curves_are_few_and_short_and_the_objective_comes_first():
    """Hundreds of series and thousands of steps make eight lines of twelve points at most."""
    steps = tuple(range(2000))
    found = {f"train/reward_{n}": Series(f"train/reward_{n}", steps, steps) for n in range(200)}
    found |= {tag: Series(tag, steps, steps) for tag in ("timing/total", "validation/accuracy")}
    curves = telling_curves(found, ("validation/accuracy",))
    assert curves[0].tag == "validation/accuracy"
    assert len(curves) == 8
    assert max(len(curve.points) for curve in curves) <= 12
    assert "timing/total" not in {curve.tag for curve in curves}


def test_a_traceback_is_its_last_frames_with_file_and_line_of_the_tree():
    """Colours, ranks and the lines of other processes are gone; paths are those of the repository."""
    log = (
        "step 1\n\x1b[31m(worker pid=7) Traceback (most recent call last):\x1b[0m\n"
        '  File "/w/tree/train.py", line 9, in <module>\n    main()\n'
        "  File \"/w/tree/loss.py\", line 41, in loss\n    return rewards[key]\nKeyError: 'kl'\nbye\n"
    )
    told = last_traceback(log, "/w/tree")
    assert told.splitlines()[-3:] == ['  File "loss.py", line 41, in loss', "    return rewards[key]", "KeyError: 'kl'"]
    assert last_traceback("no error here") == ""


@given(st.text(max_size=600))
def test_no_log_upsets_the_search_for_a_traceback(text):
    """Whatever a run has printed."""
    assert len(last_traceback(text).splitlines()) <= 13


def test_what_an_attempt_is_for():
    """One idea, unless two kept lines can be crossed, many kept changes made simpler, or every area is at a plateau."""
    tried = tuple(Tried(index=n, name=f"k{n}", title="k", area="batch", status="keep") for n in range(2, 6))
    brief = Brief(campaign="n", index=12, objective=OBJECTIVE)
    assert task_of(brief) == ""
    assert task_of(replace(brief, tried=tried)) == "simplify"
    assert task_of(replace(brief, tried=tried, beside=("x/k2",))) == "cross"
    assert task_of(replace(brief, worn=("batch",))) == "explain"
    assert task_of(replace(brief, worn=("batch",), next_area="data")) == ""


def test_ten_thousand_experiments_make_a_brief_one_can_read():
    """The newest are shown, the rest counted; large recipes show the values that tell something."""
    tried = tuple(
        Tried(index=i, name=f"n{i}", title="idea " * 50, area="optimizer", overrides=(f"lr={i}",), status="discard")
        for i in range(10_000)
    )
    values = {f"policy.part{i}.key": i for i in range(2000)} | {"policy.optimizer.lr": 1e-6}
    text = brief_text(
        Brief(
            campaign="night",
            index=10_001,
            objective=OBJECTIVE,
            facts=Facts(values),
            tried=tried,
            steering=("x " * 500,) * 500,
        )
    )
    assert len(text) < 64_000
    assert "older ones are not shown" in text
    assert "`policy.optimizer.lr` = `1e-06`" in text


def test_it_says_how_small_an_effect_can_be_seen_and_where_that_comes_from():
    """Measured noise with its repeats; the validation set's own noise is called that; nothing is invented."""
    known = brief_text(Brief(campaign="n", index=3, objective=OBJECTIVE, noise=0.01, repeats=4, smallest=0.025))
    assert "a single run varies by 0.01 (standard deviation, from 4 repeats)" in known
    assert "can detect a gain of 0.025 or more" in known
    assert "nothing was repeated" in brief_text(Brief(campaign="n", index=3, objective=OBJECTIVE, noise=0.01))
    assert "Noise: not measured yet." in brief_text(Brief(campaign="n", index=3, objective=OBJECTIVE))


def test_a_plateau_is_said_with_the_area_to_turn_to():
    """Beside what was tried, for it is about that."""
    tried = (Tried(index=2, name="a", title="raise lr", area="optimizer", status="discard"),)
    text = sections(
        Brief(campaign="n", index=6, objective=OBJECTIVE, tried=tried, worn=("optimizer",), next_area="backend")
    )["tried"]
    assert "At a plateau, nothing of the last 4 or more ideas was kept: optimizer. Look at `backend` first." in text


@given(st.text(max_size=400))
@settings(max_examples=80, deadline=None)
def test_planted_text_stays_one_line(text):
    """No heading, fence, list mark or escape sequence survives at the start of a line of its own."""
    line = plain(text)
    assert len(line.splitlines()) <= 1
    assert not line.startswith(("#", "`", ">", "-"))
    assert "`" not in line
    heads = {
        part.splitlines()[0]
        for part in sections(Brief(campaign="n", index=1, objective=OBJECTIVE, steering=(text,))).values()
        if part
    }
    assert heads <= {"## Objective", "## What the user asked for", "## Recipe", "## Already tried", "## Scope"}
