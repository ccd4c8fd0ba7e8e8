"""What the dashboard shows of real campaigns, what it refuses, and what may be done from it."""

import html
import http.client
import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.dashboard.asgi import ask

from autoresearch.campaign import controller, opening, standing
from autoresearch.campaign.campaign import Campaign
from autoresearch.cli.main import main
from autoresearch.dashboard import forms, views
from autoresearch.dashboard.deeds import Grant
from autoresearch.dashboard.following import Followed, FollowedCampaigns
from autoresearch.records import finding
from autoresearch.report import drawing, figure, html_page, pages

try:
    from autoresearch.dashboard.web_server import Pages
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip(
        "the dashboard's packages are missing; get them with: pip install -e '.[dashboard]'", allow_module_level=True
    )

NIGHT = "/campaigns/night"


def site(lab, grant=None):
    """The pages of a laboratory's repository."""
    return Pages(FollowedCampaigns(lab.root), grant).application()


def act(lab, verb, text="", *, proof="", **fields: str):
    """Send one form of the campaign's page."""
    application = site(lab, Grant(Campaign(where=lab.root, name="night"), proof))
    body = "&".join(f"{name}={value}" for name, value in {"text": text, **fields}.items()).replace(" ", "+")
    return ask(application, f"{NIGHT}/deeds/{verb}", method="POST", body=body.encode())


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(one): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file() and ".git" not in one.parts
    }


def test_page_and_report_show_the_very_same_numbers(ended):
    """Headline, facts, plot, claims and areas are the report's own, made by the same functions."""
    followed = Followed(finding.find(ended.root, "night"))
    report, page = followed.report(), ask(site(ended), NIGHT).text
    parts = html_page.sections(report, report.entries, lambda index: f"{NIGHT}/experiments/{index}")
    assert [name for name, text in parts.items() if text not in page] == []
    assert controller.report_of(standing.read(opening.open_campaign(ended.root, "night")), report.at) == report
    for one in followed.status().verdicts:
        assert f">{pages.number(one.value)}</td>" in page


def test_an_experiment_has_what_was_sent_and_from_where(ended):
    """The request of its newest run and the environment, as their files have them; a crash has its symptom."""
    page = ask(site(ended), f"{NIGHT}/experiments/2").text
    paths, entry = finding.find(ended.root, "night"), Campaign(where=ended.root, name="night").experiment(2)
    number = Campaign(where=ended.root, name="night").runs(2)[-1].planned.number
    for path, name in (
        (paths.submission(entry.name, number), "submission"),
        (paths.environment(entry.name, number), "environment"),
    ):
        assert path.read_text().splitlines()[0] in html.unescape(page)
        assert f'aria-label="{name}"' in page
    crashed = next(one.index for one in Campaign(where=ended.root).verdicts() if one.status == "crash")
    assert "health of its runs" in ask(site(ended), f"{NIGHT}/experiments/{crashed}").text


def test_an_experiment_has_its_idea_change_verdict_runs_and_log(ended):
    """What `show`, `diff` and `log` print, on one page; the list leads to it."""
    page = ask(site(ended), f"{NIGHT}/experiments/2").text
    entry = Campaign(where=ended.root, name="night").experiment(2)
    assert entry.hypothesis.title in page
    assert f"{entry.verdict.status}: " in page
    assert '<span class="add">+' in page
    assert 'aria-label="log"' in page
    assert f'href="{NIGHT}/experiments/2"' in ask(site(ended), NIGHT).text
    assert f'href="{NIGHT}"' in ask(site(ended), "/").text


def test_a_campaign_that_has_not_begun_shows_its_plan(lab):
    """And how to begin."""
    lab.write()
    page = ask(site(lab), NIGHT).text
    assert "autoresearch run --campaign night" in page
    assert "maximize" in page


def test_what_ideas_and_logs_say_is_text_and_secrets_and_your_files_are_not_said(lab):
    """No tag of theirs becomes one of ours; a log that became a link to a file of yours, or a pipe, is not read."""
    attack, secret = "<img src=x onerror=alert(1)>", "hunter2-7Qx9vLmZp41"
    lab.write(
        launcher={"type": "scripted", "script": {"*": {"value": [0.5], "log": f"{attack}\nscore: 0.5\n"}}},
        stop="2 experiments",
    )
    idea = {"title": attack, "area": "<b>", "overrides": [f"lr='{attack}'"]}
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([idea]))
    (lab.root / ".env").write_text(f"API_KEY={secret}\n")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    log = Campaign(where=lab.root, name="night").log(2)
    log.write_text(f"{log.read_text()}{secret}\n")
    pages_of_it = [ask(site(lab), path).text for path in ("/", NIGHT, f"{NIGHT}/experiments/2")]
    assert [word for page in pages_of_it for word in ("<img", "<b>", secret) if word in page] == []
    assert pages_of_it[2].count("&lt;img src=x") > 3
    assert 'aria-label="log"' in pages_of_it[2]
    (lab.root / "mine.txt").write_text("my own words")
    for instead in (lambda: log.symlink_to(lab.root / "mine.txt"), lambda: os.mkfifo(log)):
        log.unlink()
        instead()
        assert 'aria-label="log"' not in ask(site(lab), f"{NIGHT}/experiments/2").text


@pytest.mark.parametrize(
    "path",
    [
        "/campaigns/..", "/campaigns/../../etc/passwd", "/campaigns/..%2f..%2fetc", "/static/../server.py", "/static/",
        "/campaigns/night/experiments/99", "/campaigns/night/experiments/-1", "/campaigns/night/experiments/../x",
        "/campaigns/night/../night", "/campaigns/\udcff", "/campaigns/night\0", f"/campaigns/{'n' * 300}", "//evil/..",
    ],
)  # fmt: skip
def test_no_path_leads_out(ended, path):
    """What is no campaign and no number of one is nothing; no file is ever named by an address."""
    answer = ask(site(ended), path)  # as it comes off the wire, after no browser has tidied it
    assert answer.status == 404
    assert "root:" not in answer.text


def test_looking_changes_nothing(finished):
    """No file is written, and no verb is a GET."""
    before = files(finished.root)
    for path in ("/", NIGHT, f"{NIGHT}/experiments/1", f"{NIGHT}/deeds/pause", "/static/style.css"):
        ask(site(finished, Grant(Campaign(where=finished.root, name="night"), "")), path)
    assert files(finished.root) == before


def test_without_a_grant_nothing_can_be_asked_for(finished):
    """The pages have no forms, and a form that is sent all the same is refused."""
    before = finished.journal()
    assert 'method="post"' not in ask(site(finished), NIGHT).text
    assert ask(site(finished), f"{NIGHT}/deeds/pause", method="POST").status == 403
    grant = Grant(Campaign(where=finished.root, name="other"), "")
    assert ask(site(finished, grant), f"{NIGHT}/deeds/pause", method="POST").status == 403
    assert finished.journal() == before


def test_what_is_granted_is_the_verbs_of_the_command_line(finished):
    """Steering has its receipt, a refusal its reason, and each stands in the journal in the person's name."""
    assert (
        "no brief follows until it is granted more: autoresearch extend: try less"
        in act(finished, "steer", "try less").text
    )
    assert "not yet met" in act(finished, "extend", "2 more experiments").text
    refused = act(finished, "stop")
    assert (refused.status, "nothing to stop" in refused.text) == (409, True)
    assert act(finished, "overrule").status == 409
    assert act(finished, "steer", "x" * 3000).status == 409
    steered, granted = finished.journal()[-2:]
    assert (steered["text"], steered["by"]) == ("try less", controller.person())
    assert granted["words"] == "2 more experiments"


def test_a_person_who_proved_it_at_the_start_is_one_in_the_browser(lab):
    """Where a person is asked for, nothing is granted without a terminal; what was proved is written with the word."""
    lab.write(stop="2 experiments", approval={"by": "terminal"})
    lab.run()
    assert "takes a person at a terminal" in lab.refused("dashboard", "--act", "--port", "0")
    assert "takes a person at a terminal" in act(lab, "steer", "less").text
    assert act(lab, "steer", "less", proof="code typed back at /dev/pts/9").status == 200
    assert lab.journal("steered")[-1]["proof"] == "code typed back at /dev/pts/9, for a browser"


def test_what_is_followed_is_what_a_fresh_look_sees(finished):
    """A journal that grows event by event gives the status and report that reading it whole gives."""
    paths = finding.find(finished.root, "night")
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    paths.journal.write_bytes(b"".join(lines[:3]))
    followed = Followed(paths, clock=lambda: 2e9)
    for upto in (3, 7, 8, len(lines) // 2, len(lines)):
        paths.journal.write_bytes(b"".join(lines[:upto]))
        fresh = opening.open_campaign(finished.root, "night")
        assert followed.status() == standing.status_now(fresh, 2e9)
        assert followed.report() == controller.report_of(standing.read(fresh), 2e9)
    assert "campaign ended" in followed.lines()[-1]


def test_a_missing_package_is_told_with_what_brings_it(lab, monkeypatch, capsys):
    """One line, the extra in it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "autoresearch.dashboard.web_server")
    assert main(["dashboard", "--repo", str(lab.root)]) == 1
    assert "[dashboard]" in capsys.readouterr().err


def test_a_started_dashboard_answers_whoever_saw_its_address_and_says_when_something_came(finished):
    """One process; a word that is said at a terminal reaches a page that is open."""
    argv = [sys.executable, "-m", "autoresearch", "dashboard", "--port", "0"]
    served = subprocess.Popen(argv, cwd=finished.root, stdout=subprocess.PIPE, text=True)
    try:
        address, _, token = served.stdout.readline().strip().removeprefix("http://").partition("/")
        with closing(http.client.HTTPConnection(address, timeout=200)) as talk:
            talk.request("GET", f"/{token}")
            welcome = talk.getresponse()
            welcome.read()
            seen = {"Cookie": welcome.headers["set-cookie"].partition(";")[0]}
            talk.request("GET", NIGHT, headers=seen)
            assert "night" in talk.getresponse().read().decode()
            talk.request("GET", f"{NIGHT}/news", headers=seen)
            with talk.getresponse() as news:
                assert news.readline() == b": listening\n"
                finished.cli("steer", "smaller steps")
                assert b"event: news\n" in (news.readline(), news.readline())
    finally:
        served.terminate()
        served.communicate(timeout=200)


def test_an_address_that_is_taken_is_told(lab):
    """With what to do about it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "give another --port" in lab.refused("dashboard", "--port", str(port), code=2)


def test_a_long_campaign_lists_its_newest_attempts_and_links_the_rest(ended):
    """Ten thousand rows are no first look."""
    followed = Followed(finding.find(ended.root, "night"))
    report, status = followed.report(), followed.status()
    many = replace(report, entries=report.entries * 400)
    none = forms.Deeds(allowed=False)
    page = views.campaign(status, many, (), none)
    assert page.count("<tr id=") == views.MOST_ROWS
    turns = -(-len(many.entries) // views.MOST_ROWS)
    assert "page <b>1</b> <a" in page
    last = views.campaign(status, many, (), none, turn=10**6)
    assert f"<b>{turns}</b> of {turns}" in last
    assert 0 < last.count("<tr id=") <= views.MOST_ROWS
    drawn = drawing.svg(figure.progress(many))
    assert drawn.count("<title>") < len(many.entries)
    assert "earlier ones</li>" in page


def test_what_takes_long_to_read_is_seen_as_it_was_written_and_drawn_last(finished):
    """Nobody waits; the page that fills has the same parts in the same order, and says when it can."""
    plan = finding.find(finished.root, "night").campaign_file
    words = plan.read_text()
    plan.unlink()
    os.mkfifo(plan)  # a file whose reader waits until somebody writes
    told = FollowedCampaigns(finished.root)
    app, found = Pages(told).application(), told.one("night")
    early, before = ask(app, NIGHT).text, found.grown()
    assert "Its journal is being read" in early
    assert html.escape(found.beginning().split("**")[1]) in early
    assert "being read" in ask(app, "/").text
    assert ask(app, f"{NIGHT}/plot.svg").text.startswith("<svg")
    plan.write_text(words)
    assert found.ready(200)
    assert found.grown() > before
    parts = re.compile('<section id="(.*?)">')
    assert parts.findall(early) == parts.findall(ask(app, NIGHT).text)
