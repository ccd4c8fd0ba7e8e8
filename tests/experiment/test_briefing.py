"""The brief: complete, bounded, and nothing in it can pose as structure."""

from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.experiment.briefing import brief_text, plain, sections
from autoresearch.experiment.hypothesis import Brief, Facts, Tried
from autoresearch.run.measurement import Objective
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
