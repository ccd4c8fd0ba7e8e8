"""A partner that means harm, over the Agent Client Protocol: `either` runs it with and without the sandbox."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.agents.conftest import needs_acp

from autoresearch.errors import CampaignError, FruitlessError, ResearcherError
from autoresearch.experiment.hypothesis import Brief
from autoresearch.run.measurement import Objective

pytestmark = needs_acp
PEER = Path(__file__).with_name("acp_peer.py")
ALLOW = {"optionId": "no", "name": "Never", "kind": "allow_once"}
REJECT = {"optionId": "yes", "name": "Of course", "kind": "reject_once"}


def meet(bench, deed, requests=(), **more: object):
    """One attempt of the misbehaving agent in a campaign about `config.json`."""
    argv = [sys.executable, str(PEER), deed, json.dumps(requests)]
    said = {"agent": "command", "protocol": "acp", "command": argv, "show": [str(PEER.parent)], "timeout": 120}
    brief = Brief(
        campaign="night",
        index=2,
        objective=Objective("raise the score", "score"),
        allow=("config*", "sub/**"),
        protect=("config.key",),
    )
    return bench.researcher("", **said | more).propose(brief, bench.tree)


def ask(bench, requests, **more: object):
    """One that only asks and changes nothing: no idea comes of it."""
    with suppress(FruitlessError):
        meet(bench, "ask", requests, **more)


def replies(bench):
    """What the client answered, request by request."""
    lines = [
        json.loads(line) for line in bench.evidence("agent.log").splitlines() if line.startswith('{"event": "text"')
    ]
    return json.loads(lines[-1]["text"].splitlines()[0])


def write(path, text="evil"):
    return ["fs/write_text_file", {"path": str(path), "content": text}]


def wish(kind, *paths: object, options=(ALLOW, REJECT)):
    call = {
        "toolCallId": f"{kind}-{len(paths)}-{len(options)}",
        "title": "please",
        "kind": kind,
        "locations": [{"path": str(path)} for path in paths],
    }
    return ["session/request_permission", {"toolCall": call, "options": list(options)}]


def test_nothing_is_written_for_an_agent_outside_its_worktree(either):
    """Up and out, straight, through a folder or a file that is a link, into git's own files, out of the scope."""
    tree, root = either.tree, either.root
    victim = root.parent / "outside.txt"
    victim.write_text("mine\n")
    (tree / "sub").symlink_to(root)
    (tree / "config.link").symlink_to(victim)
    os.mkfifo(tree / "config.pipe")
    os.link(victim, tree / "config.hard")
    targets = [
        f"{tree}/../../../../config.json", root / "notes.txt", tree / "sub" / "notes.txt", tree / "config.link",
        tree / "config.pipe", tree / "config.hard", tree / ".git", tree / "config.key", tree / "train.py", "/etc/motd",
    ]  # fmt: skip
    ask(either, [write(target) for target in targets])
    assert [list(reply) for reply in replies(either)] == [["code", "message", "data"]] * len(targets)
    assert victim.read_text() == "mine\n"
    assert (root / "notes.txt").read_text() == "one\nunsaved thoughts\n"
    assert json.loads((root / "config.json").read_text()) == {"lr": 0.1}
    assert "evil" not in (tree / ".git").read_text()


def test_what_may_be_written_is_written_and_can_be_read_again(either):
    """A new file in a new folder, then a part of it."""
    path = str(either.tree / "sub" / "more" / "a.txt")
    asks = [write(path, "one\ntwo\nthree\n"), ["fs/read_text_file", {"path": path, "line": 2, "limit": 1}]]
    ask(either, asks)
    assert replies(either)[1] == {"content": "two\n"}
    assert either.edited() == ("sub/more/a.txt",)


def test_nothing_is_read_for_an_agent_outside_its_worktree(either):
    """The `.env` beside the code, a link to it, and the machine's files: refused, and the secret is nowhere."""
    (either.tree / "config.env").symlink_to(either.root / ".env")
    targets = [either.root / ".env", either.tree / "config.env", "/etc/passwd", "/proc/self/environ"]
    ask(either, [["fs/read_text_file", {"path": str(target)}] for target in targets])
    assert all("code" in reply for reply in replies(either))
    assert either.SECRET not in either.evidence("agent.log")


def test_answers_follow_the_kind_of_an_option_and_never_its_name_or_id(bench):
    """Allowed once or rejected once; where only `always` is offered, nothing is chosen. All of it is on record."""
    tree = bench.tree
    asks = [
        wish("edit", tree / "config.json"), wish("edit", tree / "config.key"), wish("edit"), wish("execute"),
        wish("edit", "/etc/motd"), wish("other"), wish("switch_mode"), wish("fetch"),
        wish("edit", tree / "config.json", options=[{**ALLOW, "kind": "allow_always"}]),
    ]  # fmt: skip
    ask(bench, asks, network=True)
    chosen = [reply["outcome"].get("optionId") for reply in replies(bench)]
    assert chosen == ["no", "yes", "yes", "no", "yes", "yes", "yes", "no", None]
    recorded = [one["answer"] for one in bench.last_call()["asked"]]
    assert recorded == [{"no": "allow_once", "yes": "reject_once", None: "cancelled"}[choice] for choice in chosen]


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        ("garbage", "Connection closed"),
        ("die", "Connection closed"),
        ("newer", "it speaks version 2"),
        ("flood", "changed nothing"),
        ("deaf", "still at work after 4 s"),
    ],
)
def test_a_partner_that_keeps_no_rules_has_no_idea_and_says_why(bench, deed, why):
    """Garbage, death and silence are each a reason; a line without end is passed over in bounded memory."""
    with pytest.raises(ResearcherError, match=why):
        meet(bench, deed, tries=1, timeout=4 if deed == "deaf" else 120, grace=0.5)
    assert bench.edited() == ()


def test_a_turn_that_costs_too_much_is_cancelled(bench):
    """As soon as the agent says so; what it has cost is counted, and it is not asked again."""
    with pytest.raises(ResearcherError, match="quota: budget exceeded"):
        meet(bench, "dear", max_cost_usd=1.0)
    assert bench.made.propose(bench.brief(), bench.tree) is None
    assert "used up its 1 USD" in bench.notes()


def test_an_agent_without_a_login_spends_no_attempt(bench):
    """The protocol has a word for it."""
    with pytest.raises(ResearcherError, match="login: Authentication required"):
        meet(bench, "auth")


@pytest.mark.parametrize(("agent", "words"), [("aider", "does not speak"), ("opencode", "leave `model` out")])
def test_what_an_agent_cannot_do_over_the_protocol_is_refused_at_once(bench, agent, words):
    """When the campaign is opened, not in the night."""
    with pytest.raises(CampaignError, match=words):
        bench.researcher("", agent=agent, protocol="acp", model="m")
