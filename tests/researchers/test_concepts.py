"""Plays that speak concepts: for every framework in its own words, and never what measures."""

import pytest

from autoresearch.experiment.hypothesis import Brief, Facts
from autoresearch.guards.scope import Globs
from autoresearch.researchers.playbook.plays import builtin, concepts
from autoresearch.researchers.playbook.researcher import PlaybookResearcher
from autoresearch.run.measurement import Objective
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets import curve_rules
from autoresearch.targets.dialects import recognition

FRAMEWORKS = sorted(recognition.known())
LR = {
    "prime-rl": "trainer.optim.lr=5.0e-07",
    "trl": "learning_rate=5.0e-07",
    "verl": "actor_rollout_ref.actor.optim.lr=5.0e-07",
}


def brief(framework: str, *symptoms: str, **values: object) -> Brief:
    """What a researcher is told of a framework whose settings are at their defaults but for these concepts."""
    dialect = recognition.named(framework)
    set_to = {one.key: values.get(name.replace("-", "_"), one.default) for name, one in dialect.concepts.items()}
    known = {key: value for key, value in set_to.items() if value is not None}
    if framework == "verl":
        known["actor_rollout_ref.actor.use_kl_loss"] = True
    facts = Facts(known, frozenset({"command", framework}), 8, spelled=recognition.spelled(dialect, known))
    return Brief(
        campaign="c",
        index=2,
        objective=Objective("raise it", "reward"),
        facts=facts,
        symptoms=tuple(Symptom(name, Severity.WARNING, "seen") for name in symptoms),
        protect_keys=dialect.protect_keys,
    )


@pytest.fixture
def researcher(tmp_path):
    return PlaybookResearcher(options={}, folder=tmp_path)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_one_play_speaks_every_framework(framework, researcher, tmp_path):
    """A loss that is no number halves the learning rate, by the name that it has there; the watched curves are theirs as well."""
    idea = researcher.propose(brief(framework, "nan-loss"), tmp_path)
    assert idea is not None
    assert idea.overrides == (LR[framework],)
    assert idea.watch[0].split()[0].endswith("grad_norm")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_framework_is_supplied(framework, researcher):
    """Plan says how many plays there are."""
    assert (researcher.supply(brief(framework)).most or 0) >= 6


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_play_touches_what_measures_or_what_is_not_there(framework, researcher, tmp_path):
    """Whatever the symptom: keys of the framework only, and none of those that are protected."""
    guarded = Globs(glob.replace(".", "/") for glob in recognition.named(framework).protect_keys)
    keys = {one.key for one in recognition.named(framework).concepts.values()}
    for symptom in sorted({name for play in concepts().plays for name in play.answers}):
        idea = researcher.propose(brief(framework, symptom), tmp_path)
        for override in idea.overrides if idea else ():
            key = override.partition("=")[0]
            assert key in keys
            assert not guarded.match(key.replace(".", "/"))
            assert "${" not in override


def test_groups_grow_with_their_batch(researcher, tmp_path):
    """TRL counts answers, so a larger group takes a larger batch; verl counts prompts, so it does not."""
    trl = researcher.propose(brief("trl", "zero-variance-groups"), tmp_path)
    verl = researcher.propose(brief("verl", "zero-variance-groups", group=4), tmp_path)
    assert trl is not None and verl is not None  # noqa: PT018
    assert trl.overrides == ("num_generations=16", "per_device_train_batch_size=16")
    assert verl.overrides == ("actor_rollout_ref.rollout.n=8",)


def test_a_clip_without_effect_is_turned_by_nobody():
    """Where answers serve one update, every policy ratio is one: clipping it changes nothing."""
    trl, clip = recognition.named("trl"), {"epsilon": 0.2}
    assert "clip-low" not in recognition.spelled(trl, clip)
    assert recognition.spelled(trl, clip | {"num_iterations": 2})["clip-low"] == "epsilon"
    assert recognition.spelled(trl, clip | {"steps_per_generation": 4})["clip-low"] == "epsilon"
    verl = recognition.named("verl")
    low = {verl.concepts["clip-low"].key: 0.2}
    assert "clip-low" in recognition.spelled(verl, low)
    assert "clip-low" not in recognition.spelled(verl, low | {"data.train_batch_size": 256})


def test_a_coefficient_without_effect_is_turned_by_nobody():
    """Without `use_kl_loss` verl reads no KL coefficient."""
    dialect = recognition.named("verl")
    key = dialect.concepts["kl"].key
    assert "kl" not in recognition.spelled(dialect, {key: 0.001})
    assert recognition.spelled(dialect, {key: 0.001, "actor_rollout_ref.actor.use_kl_loss": True})["kl"] == key


def test_plays_answer_what_rules_can_find():
    """A symptom that no framework can show would be answered by nobody; concepts that no dialect spells likewise."""
    found = {rule.name for rule in curve_rules.RULES} | {"reward-collapse", "kl-explosion"}
    assert {name for play in concepts().plays for name in play.answers} <= found
    spelled = {name for one in recognition.known().values() for name in one.concepts}
    assert set(concepts().names) == spelled
    assert {play.name for play in concepts().plays}.isdisjoint(play.name for play in builtin().plays)
