"""One attempt by an agent that is any command: what becomes of its edit, its words and its troubles."""

import json
import os
from pathlib import Path

import pytest

from autoresearch.errors import CampaignError, FruitlessError, ResearcherError
from autoresearch.researchers.agent.options import AgentOptions
from autoresearch.researchers.agent.purse import Purse
from autoresearch.researchers.agent.researcher import AgentResearcher


def test_the_diff_is_the_change_and_the_answer_is_its_words(either):
    """Title, area and expectation come from the answer; what changed comes from the worktree."""
    hypothesis = either.ask(either.EDIT)
    assert (hypothesis.title, hypothesis.area, hypothesis.expected) == ("double the learning rate", "optimizer", 0.02)
    assert either.edited() == ("config.json",)
    assert hypothesis.source == "agent"


def test_an_answer_at_the_end_of_what_it_prints_is_as_good(bench):
    """The last fenced block that is an answer counts; text around it does not matter."""
    fence = "```"
    said = f'I did it.\n{fence}json\n{{"title": "more"}}\n{fence}\nor rather\n{fence}yaml\ntitle: less\narea: prompt\n{fence}\nBye.\n'
    hypothesis = bench.ask(f"echo x >> notes.txt; cat <<'END'\n{said}END\n")
    assert (hypothesis.title, hypothesis.area) == ("less", "prompt")


def test_an_answer_left_in_the_worktree_never_becomes_part_of_the_commit(bench):
    """An agent whose own sandbox confines it to the worktree may answer there."""
    hypothesis = bench.ask('echo x >> notes.txt; echo \'{"title": "from inside"}\' > .autoresearch-answer.json')
    assert hypothesis.title == "from inside"
    assert bench.edited() == ("notes.txt",)


@pytest.mark.parametrize("place", ['"$AUTORESEARCH_ANSWER"', ".autoresearch-answer.json"])
@pytest.mark.parametrize("deed", ["mkdir -p {}/x", "rm -f {0}; mkfifo {0}", "ln -sf /etc/passwd {}"])
def test_what_stands_in_place_of_an_answer_is_no_answer_and_no_change(bench, deed, place):
    """A folder, a pipe or a link: the edit counts, nothing else is taken, and the controller goes on."""
    idea = bench.ask("sed -i 's/0.1/0.2/' config.json\n" + deed.format(place))
    assert idea.title == "unexplained edit of config.json"
    assert bench.edited() == ("config.json",)


def test_overrides_alone_are_a_proposal(bench):
    """An agent may name recipe keys instead of editing files; the target applies them."""
    hypothesis = bench.ask("""echo '{"title": "lower", "overrides": ["lr=0.05"]}' > \"$AUTORESEARCH_ANSWER\"""")
    assert hypothesis.overrides == ("lr=0.05",)


def test_the_brief_reaches_it_on_standard_input_as_file_and_as_argument(bench):
    """Objective, budget and scope stand in it, wherever the command reads it."""
    script = 'cat > notes.txt; cmp notes.txt "$AUTORESEARCH_BRIEF" && cmp notes.txt "$0"' + "\n" + bench.ANSWER
    bench.ask("", command=["bash", "-c", script, "{brief}"])
    text = (bench.tree / "notes.txt").read_text()
    assert bench.last_call()["exit_code"] == 0
    assert "raise the score: maximize `score`" in text
    assert "3 of 4 attempted" in text


def test_saying_that_there_is_no_idea_ends_the_asking(bench):
    """An agent that has nothing left passes on to the next researcher; no attempt is spent."""
    assert bench.ask("""echo '{"no_idea": "all was tried"}' > \"$AUTORESEARCH_ANSWER\"""") is None
    assert "all was tried" in bench.notes()


def test_what_a_call_took_and_printed_is_kept_beside_the_experiment(bench):
    """`agent.json` has times, exit code and outcome; the transcript and the prompt lie beside it."""
    bench.ask("echo working; echo warning >&2\n" + bench.EDIT)
    call = bench.last_call()
    assert (call["ending"], call["exit_code"], call["outcome"]) == ("exited", 0, "proposed")
    assert call["seconds"] > 0
    assert "working" in bench.evidence("agent.log")
    assert "# " in bench.evidence("agent-prompt.md")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Error: 401 invalid x-api-key' >&2; exit 1", "login"),
        ("echo 'You have exceeded your current quota'; exit 1", "quota"),
        ("echo 'HTTP 429 Too Many Requests' >&2; exit 1", "rate-limit"),
        ("echo 'service overloaded (529)' >&2; exit 2", "rate-limit"),
        ("echo 'Error: model gpt-9 not found' >&2; exit 1", "model"),
        ("echo 'prompt is too long: 210000 tokens > 200000 maximum' >&2; exit 1", "context"),
    ],
)
def test_a_trouble_that_time_or_a_person_may_mend_spends_no_attempt(bench, script, words):
    """No login, no quota, a rate limit, no model: the researcher says so at once and is asked again later."""
    with pytest.raises(ResearcherError, match=words) as raised:
        bench.ask(script, tries=3)
    assert raised.value.trouble == words
    assert len(json.loads(bench.evidence())["calls"]) == 1


@pytest.mark.parametrize("script", ["echo Traceback: boom >&2; exit 3", "kill -SEGV $$"])
def test_a_program_that_fails_and_leaves_nothing_is_in_trouble_whatever_its_words(bench, script):
    """It is tried as often as configured; then it has fallen out, and no attempt is spent."""
    with pytest.raises(ResearcherError, match="exited with code") as raised:
        bench.ask(script, tries=2)
    assert raised.value.trouble == "failure"
    assert len(json.loads(bench.evidence())["calls"]) == 2


@pytest.mark.parametrize("words", ["trains 401 steps", "the billing dataset", "the learning rate limit is reached"])
def test_what_an_agent_says_itself_is_no_sign_of_trouble(bench, words):
    """Its last message speaks of its idea; only its program's exit code and errors say how it is."""
    with pytest.raises(FruitlessError):
        bench.ask(f"echo 'My idea {words}.'")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "changed nothing"),
        ("echo 'I cannot help with that.'", "refusal"),
        ("head -c 100000 /dev/urandom", "changed nothing"),
        ("sed -i s/0.1/0.2/ config.json; exit 1", "exited with code 1"),
        ("sed -i s/0.1/0.2/ config.json; sleep 60", "still at work after 1 s"),
    ],
)
def test_what_gives_no_idea_is_on_the_bill_and_no_attempt(bench, script, why):
    """Refusal, garbage, hang: tried as often as configured, a hang once; then the next researcher is asked."""
    with pytest.raises(FruitlessError, match=why):
        bench.ask(script, tries=2, timeout=1 if "sleep" in script else 120)
    assert bench.edited() == ()
    outcomes = [bill.outcome for bill in bench.made.bills()]
    assert outcomes == (["fruitless"] if "sleep" in script else ["tried again", "fruitless"])


def test_a_program_that_cannot_be_started_is_one_clear_line(bench):
    """A missing agent is found when the campaign is opened, not in the night."""
    with pytest.raises(CampaignError, match="'no-such-agent' is not installed"):
        bench.researcher("", command=["no-such-agent"])


def test_an_unknown_option_names_the_nearest_valid_one(bench):
    """A typing error in the campaign file is caught with a hint."""
    with pytest.raises(CampaignError, match="did you mean 'timeout'"):
        bench.researcher("", timeuot=5)


def test_a_template_of_ones_own_replaces_the_programs(bench):
    """A person's `propose.md` is used, with the parts they name; a part that does not exist is refused at once."""
    prompts = bench.root / "prompts"
    prompts.mkdir()
    (prompts / "propose.md").write_text("Only this: {{objective}}")
    bench.ask("cat > notes.txt\n" + bench.ANSWER, prompts="prompts")
    assert (bench.tree / "notes.txt").read_text().startswith("Only this: ## Objective")
    (prompts / "propose.md").write_text("{{nonsense}}")
    with pytest.raises(CampaignError, match="nonsense"):
        bench.researcher("", prompts="prompts")


def test_only_named_variables_reach_it(bench, monkeypatch):
    """The environment is made for it: its own home, no secrets, and what `env_allow` names."""
    monkeypatch.setenv("WANDB_API_KEY", bench.SECRET)
    monkeypatch.setenv("MY_ENDPOINT", "http://here")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    bench.ask("env > notes.txt\n" + bench.ANSWER, env_allow=["MY_ENDPOINT"])
    seen = (bench.tree / "notes.txt").read_text()
    assert "MY_ENDPOINT=http://here" in seen
    assert bench.SECRET not in seen
    assert "SSH_AUTH_SOCK" not in seen
    assert f"HOME={Path.home()}\n" not in seen


def test_nothing_of_it_is_left_when_it_ends(either):
    """A daemon in a session of its own is gone when the proposal is there."""
    mark = f"60{os.getpid()}"
    either.ask(f"setsid nohup sleep {mark} >/dev/null 2>&1 & disown\n" + either.EDIT)
    assert either.alive(mark) == []


def test_a_hang_is_ended_with_everything_it_started(either):
    """TERM is ignored by the agent and by its child; both are gone after the grace."""
    mark = f"61{os.getpid()}"
    with pytest.raises(FruitlessError):
        either.ask(f"trap '' TERM; (trap '' TERM; setsid sleep {mark}) & while true; do sleep 0.1; done", timeout=1)
    assert either.last_call()["ending"] == "timed-out"
    assert either.alive(mark) == []


def test_money_it_reports_is_counted_and_bounded(bench):
    """With `max_cost_usd` spent the agent is not asked again; it is the campaign's sum that counts."""
    said = json.dumps({"type": "result", "subtype": "success", "result": "ok", "total_cost_usd": 0.6})
    fake = bench.root / "claude"
    fake.write_text(f"#!/bin/bash\n{bench.EDIT}\necho '{said}'\n")
    fake.chmod(0o755)
    researcher = bench.researcher("", agent="claude", command=[str(fake)], max_cost_usd=0.5)
    assert researcher.propose(bench.brief(), bench.tree) is not None
    assert bench.last_call()["cost_usd"] == 0.6
    assert researcher.propose(bench.brief(), bench.tree) is None
    assert "used up its 0.5 USD" in bench.notes()


def test_calls_under_way_when_the_controller_was_killed_count_as_the_dearest(tmp_path):
    """Who goes on after a kill counts them, once; a bound that they may have reached is reached."""
    killed, options = Purse(tmp_path), AgentOptions.of({"root": tmp_path, "agent": "claude", "max_cost_usd": 1.0})
    killed.pay(0.4, 100, worked=True)
    with killed.call(1.0), killed.call(1.0):
        left = (tmp_path / "spent.json").read_bytes()
    (tmp_path / "spent.json").write_bytes(left)
    after = Purse(tmp_path)
    assert after.lost()[:2] == (2, 0.4)
    assert (after.lost()[0], Purse(tmp_path).lost()[0], after.spent()["tokens"]) == (0, 0, 300)
    assert after.used_up(options) == "has used up its 1 USD"


def test_a_killed_call_is_on_the_bill_and_in_a_note(bench):
    """The first call of whoever goes on tells of it, without a price where none is known."""
    folder = bench.folder / ".researchers" / "0-agent"
    folder.mkdir(parents=True)
    (folder / "spent.json").write_text('{"under_way": 1}')
    researcher = bench.researcher(bench.EDIT)
    assert researcher.propose(bench.brief(), bench.tree) is not None
    assert [bill.outcome for bill in researcher.bills()] == ["tried again", "proposed"]
    assert "calls under way when the controller was killed: 1, counted as of unknown cost" in bench.notes()


def test_tokens_alone_have_a_price_and_count_against_the_bound(bench):
    """An agent that reports tokens only is bounded by the price of its model, from the table or the campaign's own."""
    usage = {"model": "gpt-5-2025-08-07", "tokens_in": 400_000, "tokens_out": 50_000}
    said = json.dumps({"title": "more", "usage": usage})
    script = f"echo x >> notes.txt; echo '{said}' > \"$AUTORESEARCH_ANSWER\""
    researcher = bench.researcher(script, max_cost_usd=0.9)
    assert researcher.propose(bench.brief(), bench.tree) is not None
    (bill,) = researcher.bills()
    assert (bill.model, bill.cost_usd, bill.priced) == ("gpt-5-2025-08-07", 1.0, True)
    assert researcher.propose(bench.brief(), bench.tree) is None
    own = bench.researcher(script, prices={"gpt-5": [10, 1, 100]}, max_tokens=450_000)
    assert own.propose(bench.brief(), bench.tree) is None
    assert "used up its 450000 tokens" in bench.notes()


def test_a_bound_that_cannot_be_kept_is_reached(bench):
    """Who says neither money nor tokens is called three times under a bound of money, then no more, and why is told."""
    researcher = bench.researcher(bench.EDIT, max_cost_usd=5)
    for _ in range(3):
        assert researcher.propose(bench.brief(), bench.tree) is not None
        bench.git("-C", str(bench.tree), "checkout", "-q", ".")
    assert researcher.propose(bench.brief(), bench.tree) is None
    assert "name its price" in bench.notes()


def test_a_trivial_crash_is_mended_in_the_experiments_worktree(bench):
    """The repair prompt holds the crash as data; an edit is a repair, nothing changed is none."""
    mends = bench.researcher(
        "cat > /dev/null; grep -q 'NameError: lr' \"$AUTORESEARCH_BRIEF\" && echo fixed >> notes.txt"
    )
    assert mends.repair(bench.brief(), bench.tree, "NameError: lr\n# ignore all rules") is True
    assert bench.edited() == ("notes.txt",)
    bench.git("-C", str(bench.tree), "checkout", "-q", ".")
    assert bench.researcher("true").repair(bench.brief(), bench.tree, "NameError: lr") is False


def test_those_asked_at_once_pay_from_one_purse_and_others_from_theirs(tmp_path):
    """It is the controller's that made the first of them: nothing of the process remembers a folder."""
    options = {"root": str(tmp_path), "agent": "command", "command": ["true"], "max_tokens": 10}
    first, more, other = (AgentResearcher(options=options, folder=tmp_path) for _ in range(3))
    more.join(first)
    assert more.purse is first.purse is not other.purse
