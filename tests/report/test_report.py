"""The report's numbers from a history made by hand, and its pages for hostile words."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.campaign import controller, opening
from autoresearch.campaign.standing import read
from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment import events as happened
from autoresearch.experiment.experiment import why_no_value
from autoresearch.experiment.history import History, fold
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.report import adoption, drawing
from autoresearch.report.costs import Spend, added
from autoresearch.report.html_page import html
from autoresearch.report.pages import claim_words, drift_words, markdown, standing, table
from autoresearch.report.plain_text import interval
from autoresearch.report.report import Known, build
from autoresearch.run.integrity import Finding, Integrity
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Direction, Measurement, Objective
from autoresearch.scheduling.stop_check import outlook
from autoresearch.verdict.claims import Claim, Standing
from autoresearch.verdict.drift import Drift

ROW = "; 0.7 in its row, by the runs that chose it"
HOSTILE = "<script>alert(1)</script> | a\nb \x1b[2J ]]> & \" ' [x](http://evil.invalid)"


def experiment(index, name, values, status, title="", effect=None, area="optimizer"):
    idea = Hypothesis(title=title or name, area=area, overrides=("lr=1",), source="file")
    opened = happened.ExperimentOpened(at=index, index=index, parent="baseline", parent_commit="0" * 40)
    made = happened.ExperimentCommitted(
        at=index, index=index, name=name, branch=f"autoresearch/c/{name}", commit=f"{index:040x}", hypothesis=idea
    )
    purpose = Purpose.BASELINE if index == 1 else Purpose.EXPLORE
    runs = [event for number, value in enumerate(values, 1) for event in run(name, number, value, purpose)]
    verdict = Verdict(
        status=Status(status), reason="because", value=values[0], effect=effect, low=None, high=None, runs=len(values)
    )
    return [
        opened,
        made,
        *runs,
        happened.ExperimentJudged(
            at=index, name=name, verdict=verdict, row={}, incumbent=name if status == "keep" else None
        ),
    ]


def run(name, number, value, purpose):
    run_id, start = f"{name}-{number}", 100.0 * number
    found = Measurement(
        metric="score", value=value, completion=Completion.DONE if value is not None else Completion.CRASHED
    )
    return [
        happened.RunPlanned(
            at=start,
            run_id=run_id,
            experiment=name,
            number=number,
            seed=41 + number,
            purpose=purpose,
            launcher="x",
            command="c",
            folder="/f",
            log="/f/run.log",
            resources=Resources(gpus_per_node=4),
        ),
        happened.RunSubmitted(start, run_id, "job"),
        happened.RunStarted(start + 60, run_id),
        happened.RunEnded(start + 660, run_id, JobStatus(state=JobState.SUCCEEDED, exit_code=0)),
        happened.RunMeasured(start + 660, run_id, found),
    ]


def doubted(events):
    """The same runs, each with a number that something speaks against."""
    against = Integrity(Finding.CONTRADICTED, ("sources disagree at step 9: a 0.7, b 0.4",))
    return [
        replace(event, measurement=replace(event.measurement, integrity=against))
        if isinstance(event, happened.RunMeasured)
        else event
        for event in events
    ]


def report(
    title="idea", goal="more", direction=Direction.MAXIMIZE, fresh=(), more=(), baseline=(0.5, 0.52), idea=(0.7, 0.72),
    price=None,
):  # fmt: skip
    """Baseline, one kept idea, one crashed; values of fresh seeds of the kept one if there are any."""
    campaign = CampaignConfig.of({"campaign": "c", "verdict": {"policy": "greedy"}, "usd_per_gpu_hour": price})
    objective, limits = (
        Objective(goal, "score", direction, meaning=goal),
        StopLimits(started_at=0.0, target_experiment_count=9),
    )
    history = fold([
        happened.CampaignStarted(at=0.0, campaign="c", base_commit="0" * 40, approved_by="ada"), *experiment(1, "baseline", baseline, "keep"),
        *experiment(2, "idea", list(idea), "keep", title, 0.2), *experiment(3, "bad", [None], "crash", "bad", area="data"),
        *(event for number, value in enumerate(fresh, 3) for event in run("idea", number, value, Purpose.CONFIRM)),
        *more, happened.Steered(50.0, title, "ada"), happened.CampaignEnded(6000.0, "enough"),
    ])  # fmt: skip
    return build(history, campaign, objective, outlook(history, campaign, limits, objective, 7000.0), 7000.0)


def test_the_numbers_are_those_of_the_history():
    """Means over valid runs, minutes without queueing, GPU-hours, counts by area, time until the end."""
    made = report()
    assert (made.baseline, made.incumbent) == (pytest.approx(0.51), "idea")
    assert [(area.name, area.keep, area.crash, area.minutes) for area in made.areas] == [
        ("data", 0, 1, 10),
        ("optimizer", 1, 0, 20),
    ]
    assert {spend.purpose: (spend.runs, spend.minutes) for spend in made.spend} == {
        "baseline": (2, 20),
        "explore": (3, 30),
    }
    assert sum(spend.gpu_hours for spend in made.spend) == pytest.approx(5 * 4 / 6)
    assert (made.queue_minutes, made.wall_minutes) == (5, 100)


def test_evaluations_are_no_runs():
    """What measured the runs again is counted beside them, in the sum as in the table."""
    spent = [Spend("explore", 3, 30.0, 0.0), Spend("evaluations", 2, 1.0, 0.0)]
    assert added(spent, None) == "3 runs, 2 evaluations, 31.0 minutes of both"
    assert added(spent[:1], None) == "3 runs, 30.0 minutes of runs"


def test_the_best_value_is_that_of_fresh_seeds():
    """What was selected for being high is no estimate of how high it is; fresh seeds are, and the report says so."""
    made = report(fresh=[0.61, 0.63])
    assert (made.best, made.best_from) == (pytest.approx(0.62), f"mean of 2 fresh seeds{ROW}")
    assert f"- best: 0.62, mean of 2 fresh seeds{ROW}, as measured by the run itself (idea, branch" in markdown(made)
    assert f"0.62, mean of 2 fresh seeds{ROW}, as measured by the run itself (idea" in html(made)


def test_a_gain_by_the_runs_own_word_alone_is_called_unverified():
    """Fresh seeds far apart would prove it: headline, list and table say *unverified*, and no false chance is given."""
    proof = [
        event for number, value in ((4, 0.4), (5, 0.42)) for event in run("baseline", number, value, Purpose.CONFIRM)
    ]
    text = markdown(report(fresh=[0.91, 0.93], more=proof, baseline=(0.4, 0.41, 0.42), idea=(0.9, 0.91)))
    assert "proven claim" not in text
    assert "**#2 idea is unverified: by the runs' own word alone it is better than the baseline: +0.51 " in text
    assert "**unverified** (fresh seeds agree, by the runs' own word alone" in text
    assert "| 2 | keep | " in text
    assert "| unverified | optimizer |" in text


def test_the_baseline_stands_beside_the_best_on_fresh_seeds_too():
    """Their difference is the claim's; that the row of the baseline has another number is said beside it."""
    assert (report().baseline_from, "- baseline: 0.51, mean of 2 runs; 0.5 in its row" in markdown(report())) == (
        "2 runs; 0.5 in its row, over 2 runs",
        True,
    )
    proof = [
        event for number, value in ((4, 0.4), (5, 0.42)) for event in run("baseline", number, value, Purpose.CONFIRM)
    ]
    made = report(fresh=[0.61, 0.63], more=proof)
    assert (made.baseline, made.baseline_from) == (pytest.approx(0.41), "2 fresh seeds; 0.5 in its row, over 2 runs")
    of_another = run("baseline", 9, 0.9, Purpose.CONFIRM)  # a candidate of before was confirmed on a seed of its own
    assert report(
        fresh=[0.61, 0.63], more=[*proof, *run("baseline", 3, 0.42, Purpose.CONFIRM), *of_another]
    ).baseline == (pytest.approx(0.41))


@pytest.mark.parametrize(("more", "told"), [((0.5,), False), ((0.5, 0.5), True), ((0.5, 0.51), False)])
def test_fresh_seeds_that_reach_nothing_are_told_of(more, told):
    """Three seeds of the baseline with one number: a fourth proves no more than one run, and the report's head says so."""
    runs = [event for number, value in enumerate(more, 3) for event in run("baseline", number, value, Purpose.ANCHOR)]
    made = report(more=runs, baseline=(0.5,), idea=(0.7, 0.7))
    assert ("no scatter: the baseline gave one number to the last digit on 3 seeds" in markdown(made)) is told
    assert any("no scatter" in sentence for sentence in made.integrity) is told


def test_where_no_seed_changes_a_number_nothing_is_called_proven():
    """The best is measured, the same on each seed: chance has no part in it, so there is nothing to prove."""
    runs = [event for number in (3, 4) for event in run("baseline", number, 0.5, Purpose.ANCHOR)]
    more = [*runs, *run("idea", 3, 0.7, Purpose.CONFIRM)]
    made = report(more=more, baseline=(0.5,), idea=(0.7, 0.7))
    assert made.headline.startswith(
        "#2 idea is measured to be, as measured by the run itself, better than the baseline:"
    )
    assert made.headline.endswith(": +0.2, the same on each seed.")
    assert "proven" not in markdown(made).replace("so the seed does not", "").replace("proves no more", "")
    assert "no seed changed a number, so one run says what there is" in markdown(made)
    assert "Take it over with: autoresearch adopt" in markdown(made)


def test_an_idea_that_ran_only_with_another_is_told_by_its_verdict():
    """Nothing compares it alone, and "0 runs" would say that it never ran."""
    line = replace(
        report().entries[1], claim=Claim(name="idea", standing=Standing.UNRESOLVED), reason="a and b in one run: +0.1"
    )
    assert claim_words(line) == "#2 idea: no comparison of its own; a and b in one run: +0.1"


def test_a_night_without_fresh_seeds_recommends_the_baseline():
    """It ended before anything confirmed what it kept; says what chose it, and how large a gain it could have proven."""
    said = report().headline
    assert "may or may not be better than the baseline: the runs that chose it say +0.1" in said
    assert "Stay with the baseline until fresh seeds confirm it." in said
    assert re.search(r"\d+ runs cannot prove a gain(,| below)", said)


def test_a_claim_from_all_runs_says_which_of_them_are_fresh_seeds():
    """Runs that came after the choice are no selection runs, even where the baseline has no fresh seed beside them."""
    before, after = (claim_words(report(fresh=fresh).entries[1]) for fresh in ((), (0.6, 0.64)))
    assert before.endswith(" on 2 selection runs, unverified")
    assert after.endswith(" on 4 runs, 2 of them on fresh seeds, unverified")


def test_before_fresh_seeds_the_best_value_is_corrected_for_selection():
    """Some of a kept idea's gain is luck: the value shown lies below the measured mean, which is named too."""
    made = report()
    assert 0.51 < made.best < 0.71
    assert made.best_from == "corrected for selection; 0.71 as measured, no fresh seed yet"


def test_an_idea_that_won_as_a_merge_stands_at_the_merge():
    """It was judged together with what was kept meanwhile, so its own runs on the old parent are not its level."""
    *before, judged = experiment(2, "idea", [0.6], "keep", effect=0.1)
    judged = replace(judged, incumbent="merge-1", verdict=replace(judged.verdict, value=0.75))
    merge = happened.BundleMade(
        at=3.0, name="merge-1", branch="autoresearch/c/merge-1", commit="f" * 40, ideas=("idea",), parent="baseline"
    )
    history = fold([
        happened.CampaignStarted(at=0.0, campaign="c", base_commit="0" * 40, approved_by="ada"), *experiment(1, "baseline", [0.5], "keep"), *before, merge,
        *run("merge-1", 1, 0.7, Purpose.REPEAT), *run("merge-1", 2, 0.8, Purpose.REPEAT), judged,
    ])  # fmt: skip
    campaign, limits = CampaignConfig.of({"campaign": "c"}), StopLimits(started_at=0.0, target_experiment_count=9)
    objective = Objective("more", "score", Direction.MAXIMIZE)
    made = build(history, campaign, objective, outlook(history, campaign, limits, objective, 7000.0), 7000.0)
    assert (made.entries[1].value, made.entries[1].values) == (0.75, (0.7, 0.8))


def test_a_value_is_the_ledgers_whatever_runs_come_later():
    """A fresh seed of the proof changes what is best, not the number that stands in the row."""
    before, after = report(), report(fresh=[0.61, 0.63])
    assert before.entries[1].value == after.entries[1].value


def test_a_crash_is_not_called_unresolved():
    """Nothing is known of the idea, which is another thing than runs that cannot tell."""
    made = report()
    assert [standing(entry) for entry in made.entries][2] == "crashed"
    assert claim_words(made.entries[2]) == "#3 bad: because"
    unresolved = markdown(made).partition("**unresolved**")[2].partition("**crashed**")[0]
    assert "#3 bad" not in unresolved
    assert "#3 bad: because" in markdown(made)


def test_an_idea_that_fails_by_its_own_fault_is_refuted_with_the_reason():
    """Without a single number it was still tried: nothing is left to compare, and something is known."""
    failed = replace(report().entries[2], status="discard", runs=0)
    assert (standing(failed), claim_words(failed)) == ("refuted", "#3 bad: because")


@pytest.mark.parametrize(("low", "high", "shown", "said"), [
    (-1.0, 2.0, False, "over time beyond chance"), (0.1, 2.0, False, "may have drifted"), (0.5, 2.0, True, "gave different values"),
])  # fmt: skip
def test_drift_is_worded_as_its_interval_is(low, high, shown, said):
    """A 90 % interval beside zero is not called no drift, one around zero not drift."""
    assert said in drift_words(Drift(slope=0.1, total=1.0, low=low, high=high, repeats=9, shown=shown))


class Page(HTMLParser):
    """Collects tags and addresses; fails on anything a page of ours never has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href", "action", "data", "xlink:href"}]


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=80) | st.just(HOSTILE))
def test_the_page_is_self_contained_whatever_titles_say(title):
    """No script but our own, no address, no style that loads; every title is text."""
    page = html(report(title, title))
    seen = Page()
    seen.feed(page)
    assert seen.tags.count("script") == page.count(f"<script>{drawing.SCRIPT}</script>") == 1
    assert f"script-src '{drawing.SCRIPT_HASH}'" in page
    assert not {"link", "img", "iframe", "a", "object"} & set(seen.tags)
    assert seen.addresses == []
    assert "url(" not in page
    assert "@import" not in page.partition("</style>")[0]
    assert "default-src 'none'; style-src 'unsafe-inline'" in page


def test_the_page_shows_hostile_words_as_words():
    """They can be read, and do nothing."""
    page = html(report(HOSTILE))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=30), min_size=2, max_size=2))
def test_no_cell_breaks_a_markdown_table(cells):
    """One line a row, as many cells as columns."""
    row = table(("a", "b"), [cells]).split("\n")[2:]
    assert len(row) == 1
    assert len(re.findall(r"(?<!\\)\|", row[0].replace("\\\\", ""))) == 3
    assert "<" not in row[0]


def test_the_markdown_report_keeps_its_shape_for_hostile_words():
    """Every table row of attempts is one line; no HTML comes through."""
    text = markdown(report(HOSTILE, HOSTILE))
    assert "<script" not in text
    assert len([line for line in text.splitlines() if re.match(r"\| [123] \|", line)]) == 3


def test_an_interval_is_written_as_everywhere():
    """Signs, three digits, brackets only where there is one."""
    assert interval(0.0041, -0.011, 0.019) == "+0.0041 [-0.011, +0.019]"
    assert interval(0.2, None, None) == "+0.2"
    assert interval(None, None, None) == ""


def test_numbers_that_something_contradicts_are_said_first_and_count_for_nothing():
    """Below the headline, before anything else; the run has no value, the reason is the contradiction."""
    history = fold([*experiment(1, "baseline", [0.5], "keep"), *doubted(experiment(2, "idea", [0.7], "crash"))])
    (bad,) = history.runs_of("idea")
    assert (bad.value, bad.valid) == (None, False)
    assert why_no_value(bad) == "contradicted: sources disagree at step 9: a 0.7, b 0.4"
    campaign, objective = CampaignConfig.of({"campaign": "c"}), Objective("more", "score")
    view = outlook(history, campaign, StopLimits(started_at=0.0, target_experiment_count=9), objective, 9.0)
    made = build(history, campaign, objective, view, 9.0)
    first = markdown(made).split("\n\n")[2]
    assert first.startswith("- idea-1: contradicted: sources disagree at step 9: a 0.7, b 0.4\n- unverified: 1 of 1")
    assert html(made).index("idea-1: contradicted") < html(made).index("<svg")


def test_a_report_is_the_same_whether_or_not_one_was_made_before(ended):
    """What is kept from one report to the next shows in how fast it comes, and in nothing else."""
    opened = opening.open_campaign(ended.root, "night")
    history, known = History(), Known()
    for event in opened.journal.read():
        history.apply(event)
        reading = read(replace(opened, history=history))
        assert controller.report_of(reading, event.at, known) == controller.report_of(reading, event.at)


def test_gpu_hours_are_money_where_they_have_a_price_and_say_so_where_they_have_none():
    """What they cost stands beside them; without a price, how to give one."""
    told = [markdown(report(price=price)) for price in (2.5, None)]
    assert re.search(r"3\.3 GPU-hours at 2\.5 USD: 8\.33 USD", told[0])
    assert "which have no price: `usd_per_gpu_hour`" in told[1]


def test_the_text_of_a_pull_request_has_a_recipe_of_what_differs():
    """Beside the one that was started from, where every change is keys; a change of code is none."""
    made = replace(report(), recipe="conf/base.yaml")
    nested = tuple(replace(entry, overrides=("+a.b=[1, 2]", "a.c=x")) for entry in made.entries)
    whole = adoption.pull_request(replace(made, entries=nested), "idea", ("idea",), "b", "m")
    assert "```yaml\ndefaults: base.yaml\na:\n  b: [1, 2]\n  c: x\n```" in whole
    code = tuple(replace(entry, overrides=()) for entry in made.entries)
    assert "```yaml" not in adoption.pull_request(replace(made, entries=code), "idea", ("idea",), "b", "m")


def test_why_an_effect_has_two_figures_is_said_once_on_a_page():
    """Where the lists and the tables differ for the same idea, beside the lists; nowhere else."""
    made = report()
    for page in (markdown(made), html(made)):
        assert page.count("with the luck of having been chosen taken out") == 1
    (same,) = (replace(one, effect=one.claim.effect) for one in made.entries if one.claim and one.claim.effect)
    assert "luck of having been chosen" not in markdown(replace(made, entries=(made.entries[0], same)))
