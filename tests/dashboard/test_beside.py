"""Curves of what runs, experiments side by side, a verdict overruled, and whatever else somebody may send."""

import asyncio
import json
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dashboard.asgi import ask
from tests.dashboard.test_dashboard import NIGHT, act, site

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.status import RunningRun
from autoresearch.dashboard import views, web_server
from autoresearch.dashboard.deeds import VERBS, Grant
from autoresearch.dashboard.following import Followed
from autoresearch.records import finding
from autoresearch.report.curves import DrawnCurves


def test_experiments_stand_side_by_side_with_their_curves(ended):
    """Each in its column, with the numbers that report and ledger have."""
    answer = ask(site(ended), f"{NIGHT}/compare", query="numbers=1%2C+2")
    entries = Followed(finding.find(ended.root, "night")).report().entries[:2]
    assert answer.status == 200
    assert all(views.number(entry.value) in answer.text for entry in entries)
    assert all(f'<a href="{NIGHT}/experiments/{index}">#{index}</a>' in answer.text for index in (1, 2))


def test_what_cannot_be_compared_is_told(ended):
    """One, six, none, and one that there is not."""
    for words, status in (("1", 400), ("1+1", 400), ("1+2+3+4+5+6", 400), ("x", 400), ("", 400), ("1+99", 404)):
        assert ask(site(ended), f"{NIGHT}/compare", query=f"numbers={words}").status == status


def test_a_verdict_is_overruled_with_a_reason_and_not_without(finished):
    """In the person's name, as at the command line."""
    before = finished.journal()
    for fields in ({"index": "2", "verdict": "crash"}, {"index": "2", "verdict": "best"}, {"index": "99999999999"}):
        assert act(finished, "overrule", "" if "verdict" in fields else "why", **fields).status == 409
    assert finished.journal() == before
    assert act(finished, "overrule", "the log shows it", index="2", verdict="crash").status == 200
    assert finished.journal("verdict_overruled")[-1]["verdict"]["reason"] == "the log shows it"
    assert 'action="/campaigns/night/deeds/overrule"' not in ask(site(finished), f"{NIGHT}/experiments/2").text


def test_a_run_in_flight_is_read_from_its_own_files(finished):
    """What it has written so far, beside the incumbent's where that has a curve."""
    paths = finding.find(finished.root, "night")
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if json.loads(line)["kind"] == "run_started")
    paths.journal.write_bytes(b"".join(lines[: last + 1]))
    *_, live = Followed(paths).live_curves()
    assert live.label.startswith("#")
    assert live.runs[0][-1][1] in {
        one["measurement"]["value"] for one in map(json.loads, lines) if "measurement" in one
    }


def test_what_runs_is_drawn_and_its_words_are_text(ended):
    """A purpose or a label with markup in it is escaped."""
    followed = Followed(finding.find(ended.root, "night"))
    run = RunningRun(
        run_id="r", experiment="<b>", seed=1, purpose="explore", state="running", elapsed_s=2.0, predicted_s=None,
        log="", folder="",
    )  # fmt: skip
    curves = (DrawnCurves(label="<i>", runs=(((1, 0.1), (2, 0.2)),)),)
    part = views.running(replace(followed.status(), running=(run,)), followed.report(), curves)
    assert "<svg" in part
    assert "<b>" not in part
    assert "<i>" not in part


def test_curves_come_with_the_event_itself(monkeypatch):
    """Lines of it are data lines; the same again is not sent."""
    monkeypatch.setattr(web_server, "_LOOK_S", 0.001)
    monkeypatch.setattr(web_server, "_BEATS", 9)

    async def heard() -> list[str]:
        stream = web_server._news(lambda: 1, lambda: "<h2>Running</h2>\n<svg></svg>")
        return [await anext(stream) for _ in range(3)]

    running, news = asyncio.run(heard())[1:]
    assert running == "event: running\ndata: <h2>Running</h2>\ndata: <svg></svg>\n\n"
    assert news.startswith("event: news\n")


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
PARTS = st.one_of(WORDS, st.sampled_from(["campaigns", "night", "experiments", "2", "-1", "9" * 30, "..", "compare"]))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PARTS, max_size=5), st.text(st.characters(codec="latin-1"), max_size=30))
def test_no_address_breaks_it(ended, parts, query):
    """Every page answers with a page or says what is not there."""
    path = f"/{'/'.join(parts)}"
    if not path.endswith("news"):
        assert ask(site(ended), path, query=f"numbers={query}").status in {200, 400, 404}


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*VERBS, "other"]), st.binary(max_size=60), st.dictionaries(
    st.sampled_from(["index", "verdict", "request", "granted"]), st.sampled_from(["2", "keep", "yes", "x", "%00"]),
))  # fmt: skip
def test_no_form_breaks_it(finished, verb, body, fields):
    """A form is carried out or refused with a reason; the journal is read afterwards as before."""
    said = "&".join(f"{name}={value}" for name, value in fields.items()).encode() + b"&text=" + body
    app = site(finished, Grant(Campaign(where=finished.root, name="night"), ""))
    assert ask(app, f"{NIGHT}/deeds/{verb}", method="POST", body=said).status in {200, 409}
    assert ask(site(finished), NIGHT).status == 200
