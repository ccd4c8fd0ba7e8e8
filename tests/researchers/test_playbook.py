"""How the playbook chooses: symptoms, hardware, history, memory, coupled settings, and what it leaves alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import Brief, Facts, Hypothesis, Tried
from autoresearch.experiment.recipe_rules import broken
from autoresearch.guards.scope import Scope, breaches
from autoresearch.researchers.playbook.offer import offers
from autoresearch.researchers.playbook.plays import builtin, read
from autoresearch.researchers.playbook.researcher import PlaybookResearcher, choose
from autoresearch.run.measurement import Objective
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets.nemo_rl import protection
from autoresearch.targets.nemo_rl.facts import facts
from autoresearch.targets.recipe.overrides import apply
from autoresearch.targets.recipe.recipe import Recipe

SCOPE = Scope(protect_keys=protection.keys())
ACCURACY = Objective("raise validation accuracy", "val:accuracy", tag="validation/accuracy")
RECIPES = (
    "grpo_math_1B_sglang.yaml",
    "grpo_math_8B_megatron_fp8.yaml",
    "dpo.yaml",
    "distillation_math.yaml",
    "recipes/llm/performance/grpo-qwen3-30ba3b-24n8g-async-8off.yaml",
    "demo",
)
SYMPTOMS = sorted({name for play in builtin().plays for name in play.answers})


def brief(known: Facts, *symptoms: str, tried=(), objective: Objective = ACCURACY, **more: object) -> Brief:
    """A brief whose symptoms are warnings, worst first, as listed."""
    found = tuple(Symptom(name, Severity.WARNING, "seen") for name in symptoms)
    keys = more.pop("protect_keys", protection.keys())
    return Brief(
        campaign="c",
        index=len(tried) + 2,
        objective=objective,
        facts=known,
        symptoms=found,
        tried=tuple(tried),
        protect_keys=keys,
        **more,
    )


def outcome(idea: Hypothesis, index: int, status: str = "discard", **more: object) -> Tried:
    """How an idea on top of the baseline ended."""
    told = {"title": idea.title, "overrides": idea.overrides, "config": idea.overrides, "source": idea.source}
    return Tried(index=index, name=f"e{index}", status=status, **(told | more))


def known(one: Recipe) -> Facts:
    """The facts of a recipe."""
    return facts(one, {})


def exhaust(propose: Callable[[Brief], Hypothesis | None], known: Facts, *symptoms: str, most: int = 100):
    """Everything proposed when everything is discarded, at most `most` ideas."""
    ideas: list[Hypothesis] = []
    while len(ideas) < most:
        tried = [outcome(idea, index + 2) for index, idea in enumerate(ideas)]
        idea = propose(brief(known, *symptoms, tried=tried))
        if idea is None:
            return ideas
        ideas.append(idea)
    return ideas


def ask(facts, *symptoms: str, **more: object):
    return choose(brief(facts, *symptoms, **more), builtin())


def titles(facts, *symptoms: str):
    return [idea.title for idea in exhaust(lambda asked: choose(asked, builtin()), facts, *symptoms)]


@pytest.fixture
def math(recipe):
    """The exemplar: GRPO, DTensor, vLLM, one GPU."""
    return known(recipe("grpo_math_1B.yaml"))


@pytest.fixture
def demo(recipe):
    return known(recipe("demo"))


def play(name="one", **more: object):
    return {"name": name, "title": f"Do {name}", "area": "code", "why": "It may help."} | more


def book(*plays_of_it: dict[str, object]):
    return read({"names": {}, "plays": list(plays_of_it)})


@pytest.mark.parametrize(
    ("symptom", "key"),
    [
        ("nan-loss", "lr"),
        ("kl-growth", "lr"),
        ("entropy-collapse", "lr"),
        ("zero-variance-groups", "num_generations_per_prompt"),
        ("truncation", "max_total_sequence_length"),
        ("train-inference-mismatch", "use_importance_sampling_correction"),
        ("oom-gpu", "train_micro_batch_size"),
        ("oom-host", "num_workers"),
    ],
)
def test_a_symptom_gets_its_own_answer(math, symptom, key):
    """The first proposal answers the symptom, says so, and turns the knob that experience names first."""
    idea = ask(math, symptom)
    assert idea.symptoms == (symptom,)
    assert idea.overrides[0].partition("=")[0].rpartition(".")[2] == key


def test_the_worst_symptom_is_answered_first(math):
    """With several symptoms the order of the brief, worst first, decides."""
    assert ask(math, "truncation", "kl-growth").symptoms == ("truncation",)
    assert "kl-growth" in ask(math, "kl-growth", "truncation").symptoms


def test_every_symptom_of_a_real_run_is_known(math):
    """Plays answer only to names that health and crash rules give."""
    from autoresearch.run import collapse
    from autoresearch.run.crash_signatures import SIGNATURES
    from autoresearch.targets.nemo_rl.health import RULES

    given = {one.name for one in (*RULES, *SIGNATURES)} | collapse.NAMES
    asked = {name for one in builtin().plays for name in (*one.answers, *one.unless)}
    assert asked <= given
    assert {rule.name for rule in RULES} | collapse.NAMES <= asked


def test_a_mere_remark_waits_behind_quality(math):
    """A run that is only slow does not push quality aside, unless speed is the objective."""
    slow = Symptom("generation-bound", Severity.INFO, "90 %")
    quality = replace(brief(math), symptoms=(slow,))
    speed = replace(quality, objective=Objective("faster", "train:time", tag="timing/train/total_step_time"))
    assert choose(quality, builtin()).symptoms == ()
    assert choose(speed, builtin()).symptoms == ("generation-bound",)


def test_without_symptoms_cheap_and_likely_ideas_come_first(demo):
    """On the embedded recipe the first ideas are one-line changes of the knobs that are really mistuned."""
    first = [idea.overrides for idea in exhaust(lambda asked: choose(asked, builtin()), demo, most=4)]
    assert all(len(overrides) == 1 for overrides in first)
    keys = {overrides[0].partition("=")[0].rpartition(".")[2] for overrides in first}
    assert {"lr", "temperature", "reference_policy_kl_penalty"} <= keys


def test_without_a_stop_rule_only_cheap_plays_are_made(math):
    """A default budget is three low-risk experiments (R93): what costs more or may break more waits for a budget."""
    costs = {play.title: play.cost for play in builtin().plays}
    every = exhaust(lambda one: choose(one, builtin()), math)
    careful = exhaust(lambda one: choose(replace(one, low_risk=True), builtin()), math)
    assert {costs[idea.title] for idea in careful} == {"low"}
    assert {costs[idea.title] for idea in every} > {"low"}


def test_an_area_at_a_plateau_waits_for_the_others(demo):
    """Its plays come last, not never; a warning of the parent's run calls them all the same."""
    first = choose(brief(demo), builtin())
    rested = brief(demo, worn=(first.area,))
    assert choose(rested, builtin()).area != first.area
    ideas = exhaust(lambda asked: choose(replace(asked, worn=(first.area,)), builtin()), demo)
    areas = [idea.area for idea in ideas]
    assert first.area in areas
    assert set(areas[areas.index(first.area) :]) == {first.area}
    answered = choose(brief(demo, "entropy-collapse"), builtin())
    assert choose(brief(demo, "entropy-collapse", worn=(answered.area,)), builtin()) == answered


def test_async_is_for_eight_gpus_and_more(math):
    """Partitioning actor and learner is proposed with eight GPUs on one node, never with one (R141, R143)."""
    split = "Give rollouts half of the node and train asynchronously"
    eight = replace(math, gpus=8, values={**math.values, "cluster.gpus_per_node": 8})
    assert split in titles(eight, "generation-bound")
    assert split not in titles(math, "generation-bound")
    assert not any("Split the model" in title for title in titles(math, "oom-gpu"))


def test_temperature_is_left_alone_where_validation_follows_it(math):
    """Upstream's validation samples as training does, so a hotter training would change the exam."""
    assert not any("temperature" in title or "hotter" in title for title in titles(math, "entropy-collapse"))


def test_protected_keys_are_never_touched(demo):
    """What the campaign protects is not proposed, and neither is a section that holds it."""
    keys = ("policy.optimizer.**", "loss_fn.ratio_*")
    proposed = []
    while (idea := ask(demo, tried=proposed, protect_keys=keys)) is not None:
        proposed.append(outcome(idea, len(proposed) + 2))
    overrides = [override for item in proposed for override in item.overrides]
    assert overrides
    assert not any(override.startswith(("policy.optimizer", "loss_fn.ratio_")) for override in overrides)


def test_what_somebody_else_tried_is_not_tried_again(demo):
    """An equal value in another spelling, from any researcher, counts as tried."""
    lr = "policy.optimizer.kwargs.lr"
    tenth = demo.values[lr] * 3
    other = Tried(
        index=2, name="e2", title="a person's idea", config=(f"{lr}={tenth:.3e}",), status="crash", source="file"
    )
    assert ask(demo).overrides == (f"{lr}={tenth}",)
    assert ask(demo, tried=[other]).overrides != (f"{lr}={tenth}",)


def test_a_step_that_was_kept_is_followed_in_its_direction(demo):
    """After a keep the same direction goes on first, and the way back is never proposed."""
    first = ask(demo)
    kept = outcome(first, 2, "keep")
    lr = "policy.optimizer.kwargs.lr"
    moved = replace(demo, values={**demo.values, lr: demo.values[lr] * 3})
    again = ask(moved, tried=[kept], parent="e2")
    assert (again.title, again.overrides) == (first.title, (f"{lr}=0.0045",))
    assert "Lower" not in " ".join(idea.title for idea in ideas_after(moved, kept))


def ideas_after(facts, kept):
    """Everything proposed on top of a kept experiment when all of it is discarded."""
    tried, ideas = [kept], []
    while (idea := ask(facts, tried=tried, parent=kept.name)) is not None:
        ideas.append(idea)
        tried.append(outcome(idea, len(tried) + 2, config=(*kept.config, *idea.overrides)))
    return ideas


@pytest.mark.parametrize(("change", "now", "factor"), [
    (("policy.train_global_batch_size=512",), {"policy.train_global_batch_size": 512}, 2**0.5),
    (("policy.train_global_batch_size=128",), {"policy.train_global_batch_size": 128}, 0.5**0.5),
    (("grpo.num_generations_per_prompt=16",), {"grpo.num_generations_per_prompt": 16, "policy.train_global_batch_size": 512}, 2**0.5),
    (("grpo.num_prompts_per_step=16", "grpo.num_generations_per_prompt=16"), {"grpo.num_prompts_per_step": 16, "grpo.num_generations_per_prompt": 16}, None),
])  # fmt: skip
def test_a_kept_batch_change_retunes_the_learning_rate(demo, change, now, factor):
    """Its direction and size follow the batch that changed (R132); one that stayed as large asks for nothing."""
    before = {**demo.values, "grpo.num_generations_per_prompt": 8, "policy.train_global_batch_size": 256}
    kept = Tried(index=2, name="e2", title="another batch", config=change, overrides=change, status="keep")
    moved = replace(demo, values={**before, **now})
    ideas = [choose(brief(moved, tried=[kept], parent="e2", origin=before), builtin())]
    lr = "policy.optimizer.kwargs.lr"
    wanted = [f"{lr}={float(f'{demo.values[lr] * factor:.6g}')}"] if factor else []
    assert [one for one in ideas[0].overrides if "square root" in ideas[0].rationale + ideas[0].title] == wanted


def test_a_learning_rate_that_was_set_since_is_not_retuned_again(demo):
    """It was chosen with the batch as it is; a batch that changes once more is followed from there."""
    said = ("policy.train_global_batch_size=512", "policy.optimizer.kwargs.lr=0.002")
    known = {"policy.train_global_batch_size": 512, "policy.optimizer.kwargs.lr": 0.002}
    for more, wanted in (((), None), (("policy.train_global_batch_size=128",), 0.001)):
        kept = Tried(index=2, name="e2", title="another batch", config=(*said, *more), status="keep")
        values = {**demo.values, **known, **({"policy.train_global_batch_size": 128} if more else {})}
        asked = brief(replace(demo, values=values), tried=[kept], parent="e2", origin=demo.values)
        offered = {one.play.name: one.overrides for one in offers(asked, builtin())}["retune-lr-after-batch"]
        assert offered == (() if wanted is None else (f"policy.optimizer.kwargs.lr={wanted}",))


def test_out_of_memory_is_taken_back_where_it_came_from(math):
    """The latest change that needed memory shrinks before any other relief is tried."""
    change = ("policy.train_micro_batch_size=16",)
    kept = Tried(index=2, name="e2", title="bigger", overrides=change, config=change, status="keep")
    grown = replace(math, values={**math.values, "policy.train_micro_batch_size": 16, "policy.logprob_batch_size": 16})
    idea = ask(grown, "oom-gpu", tried=[kept], parent="e2")
    assert idea.overrides == ("policy.train_micro_batch_size=8",)


def test_a_change_that_ran_out_of_memory_is_reduced_then_given_up(math):
    """Half as far, a quarter as far, then the axis is left alone (R146, R148)."""
    key = "policy.generation.vllm_cfg.gpu_memory_utilization"
    tried = [
        Tried(
            index=2,
            name="e2",
            title="more",
            overrides=(f"{key}=0.8",),
            config=(f"{key}=0.8",),
            status="crash",
            reason="CUDA out of memory",
        )
    ]
    seen = []
    for index in range(3, 7):
        idea = ask(math, tried=tried)
        seen.append([override for override in idea.overrides if override.startswith(key)])
        tried.append(outcome(idea, index, "crash", reason="CUDA out of memory"))
    assert seen[:2] == [[f"{key}=0.7"], [f"{key}=0.65"]]
    assert not any(seen[2:])


def test_equal_briefs_give_equal_ideas(math):
    """No clock and no chance."""
    assert ask(math, "truncation") == ask(math, "truncation")


def test_steering_is_noted_and_does_not_decide(math):
    """The words of a person appear in the reasoning; a playbook cannot follow them."""
    idea = ask(math, steering=("try the optimizer",))
    assert "try the optimizer" in idea.rationale
    assert idea.overrides == ask(math).overrides


def test_a_recipe_without_any_known_key_ends_the_ideas():
    """A book that fits nothing proposes nothing, and does not fail."""
    assert ask(Facts()) is None


def test_a_change_to_the_present_value_is_no_idea():
    """A play whose result is what the recipe has already is skipped."""
    only = book(play(set={"a": 1.0}))
    assert choose(brief(Facts({"a": 1})), only) is None
    assert choose(brief(Facts({"a": 2})), only).overrides == ("a=1.0",)


def test_a_book_of_ones_own(tmp_path):
    """`path` names another book; a mistake in it is told by place."""
    file = tmp_path / "mine.yaml"
    file.write_text("names: {}\nplays: [{name: one, title: Do it, area: code, why: w, set: {a: {times: 2}}}]\n")
    mine = PlaybookResearcher(options={"path": "mine.yaml", "root": str(tmp_path)}, folder=tmp_path)
    assert mine.propose(brief(Facts({"a": 2})), tmp_path).overrides == ("a=4",)
    file.write_text("names: {}\nplays: [{name: one, title: Do it, area: code, why: w, set: {a: {twice: 2}}}]\n")
    with pytest.raises(
        CampaignError, match=r"mine\.yaml, at unknown key 'plays\.1\.set\.a\.twice': did you mean 'times'"
    ):
        PlaybookResearcher(options={"path": "mine.yaml", "root": str(tmp_path)}, folder=tmp_path)


def ideas_for(facts, symptoms):
    return exhaust(lambda asked: choose(asked, builtin()), facts, *symptoms)


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.full if "grpo_math_8B" in name or "performance" in name else ())
        for name in RECIPES
    ]
)
def case(request, recipe):
    """A recipe and every distinct idea for it, with each symptom alone and with none."""
    base = recipe(request.param)
    facts = known(base)
    found = {idea.overrides: idea for idea in ideas_for(facts, ())}
    for name in SYMPTOMS:
        first = choose(brief(facts, name), builtin())
        if first is not None:
            found.setdefault(first.overrides, first)
    return base, list(found.values())


def test_recipes_take_every_idea_as_it_is(case):
    """Each idea is accepted in struct mode, changes the recipe, moves nothing that measures, and stays coupled."""
    base, ideas = case
    assert ideas
    for idea in ideas:
        changed = apply(base, idea.overrides)
        after = {**base.values, **changed.values}
        assert changed.values != base.values, idea
        assert not [one for one in breaches((), SCOPE, base.values, after) if "key logger." not in one], idea
        assert not broken(base.values, changed.values, known(base)), idea
        if rollouts(base.values) == base.values["policy.train_global_batch_size"] and ".num_" in str(idea.overrides):
            assert rollouts(changed.values) == changed.values["policy.train_global_batch_size"], idea


def rollouts(values):
    name = next((each for each in ("grpo", "ppo", "distillation") if f"{each}.num_prompts_per_step" in values), "")
    return values.get(f"{name}.num_prompts_per_step", 0) * values.get(f"{name}.num_generations_per_prompt", 0)


@pytest.mark.parametrize("name", ["grpo_math_1B.yaml", "demo"])
def test_nothing_is_proposed_twice(recipe, name):
    """With everything discarded the proposals end, and no two of them are the same configuration."""
    ideas = ideas_for(known(recipe(name)), ("gradient-spikes",))
    assert 10 < len(ideas) < 100
    assert len({frozenset(idea.overrides) for idea in ideas}) == len(ideas)


@pytest.mark.parametrize("name", ["grpo_math_1B.yaml", "grpo_math_1B_sglang.yaml"])
def test_lengths_move_together(recipe, name):
    """More room for answers lengthens prompt, answer, total and the engine's limit alike (R129)."""
    base = recipe(name)
    idea = choose(brief(known(base), "truncation"), builtin())
    after = apply(base, idea.overrides).values
    engine = "vllm_cfg.max_model_len" if "sglang" not in name else "sglang_cfg.context_length"
    keys = ("data.max_input_seq_length", "policy.generation.max_new_tokens", f"policy.generation.{engine}")
    assert {after[key] for key in keys} == {after["policy.max_total_sequence_length"]} == {768}


def test_an_edit_of_the_prompt_comes_with_its_budget(recipe):
    """No play changes the prompt without `max_new_tokens` and the total length (R125)."""
    plays = [play for play in builtin().plays if any("prompt_file" in key for key in play.set)]
    assert plays
    for play in plays:
        assert {"policy.generation.max_new_tokens", "policy.max_total_sequence_length"} <= set(play.set)


def test_megatron_recipes_turn_megatron_knobs(recipe):
    """The learning rate of a Megatron recipe is Megatron's, and its ends move with it."""
    idea = ideas_for(known(recipe("grpo_math_8B_megatron_fp8.yaml")), ())
    lr = next(one for one in idea if one.title.startswith("Raise the learning rate"))
    keys = [override.partition("=")[0].rpartition(".")[2] for override in lr.overrides]
    assert keys == ["lr", "min_lr", "lr_warmup_init"]
    assert all(override.startswith("policy.megatron_cfg.") for override in lr.overrides)


def test_opposites_are_the_same_knob():
    """A play takes back one that changes a key it changes, too."""
    by_name = {one.name: one for one in builtin().plays}
    assert len(by_name) >= 30
    for one in by_name.values():
        assert not one.opposite or set(one.set) & set(by_name[one.opposite].set), one.name


def offered(facts, *symptoms: str):
    """Names of the plays on offer."""
    return {one.play.name for one in offers(brief(facts, *symptoms), builtin()) if not one.why_not}


def several(recipe, *more: str):
    """The exemplar with two updates per batch of rollouts."""
    return known(apply(recipe("grpo_math_1B.yaml"), ["policy.train_global_batch_size=256", *more]))


RATIO = {"clip-higher", "dual-clip", "clip-tighter", "cispo"}
"""Plays about the policy ratio, which is one where there is one update per batch of rollouts."""


def test_what_clips_the_policy_ratio_is_for_several_updates_per_rollout_batch(recipe, math):
    """With one update every ratio is one, so clipping it burns a run, whatever the symptom; the ratio can be forced."""
    assert not offered(math, "entropy-collapse", "kl-growth") & RATIO
    assert "forced-on-policy-ratio" in offered(math)
    assert offered(several(recipe)) >= RATIO
    assert "forced-on-policy-ratio" not in offered(several(recipe))
    assert not offered(several(recipe, "loss_fn.disable_ppo_ratio=true")) & RATIO
    assert {key for key in math.space if "ratio_clip" in key} == set()
    assert {key for key in several(recipe).space if "ratio_clip" in key}


def test_sequence_ratios_come_with_a_clip_of_their_own(recipe):
    """A ratio per sequence scatters far less, so GSPO's clip is three thousandths of what tokens have."""
    moe = several(recipe)
    idea = next(
        one
        for one in offers(brief(replace(moe, traits=moe.traits | {"moe"})), builtin())
        if one.play.name == "sequence-level-ratios"
    )
    assert set(idea.overrides) >= {"loss_fn.ratio_clip_min=0.0003", "loss_fn.ratio_clip_max=0.0004"}


def test_a_play_sets_the_key_that_is_read(math):
    """Where a recipe leaves the estimator to NeMo-RL's defaults, its key is added; the one of old is read by nothing."""
    name = "grpo.adv_estimator.normalize_rewards"
    silent = {key: value for key, value in math.values.items() if not key.startswith("grpo.adv_estimator.")}
    by_default = replace(math, values=silent, defaults={"grpo.adv_estimator.name": "grpo", name: True})
    plays = {one.play.name: one.overrides for one in offers(brief(by_default), builtin())}
    assert plays["no-spread-normalisation"] == (f"++{name}=false",)
    assert {one.play.name: one.overrides for one in offers(brief(math), builtin())}["no-spread-normalisation"] == (
        f"{name}=false",
    )
    assert not any("grpo.normalize_rewards" in one.set for one in builtin().plays)


def test_only_ppo_hands_rewards_to_the_loss(recipe, math):
    """The likelihood of right answers is a term that GRPO's loss never sees."""
    assert "learn-from-right-answers" not in offered(math)
    assert "learn-from-right-answers" in offered(known(recipe("ppo_math_1B.yaml")))


def test_what_the_campaign_before_tried_is_not_proposed_again(math):
    """The same overrides; the offer says where they were tried."""
    first = next(one for one in offers(brief(math), builtin()) if not one.why_not)
    tried = Tried(index=2, name="a", title="other words", overrides=first.overrides)
    after = {one.play.name: one.why_not for one in offers(brief(math, before=(tried,)), builtin())}
    assert after[first.play.name] == "it was tried in the campaign that this one goes on from"


def test_every_play_has_a_source():
    """A paper, a page or a line of NeMo-RL, or one of the rules that this program keeps."""
    assert {one.name for one in builtin().plays if not one.source} == set()
