"""Session memory as text: the format NeMo-RL's skill knows, short, and not to be forged."""

import re

from hypothesis import given
from hypothesis import strategies as st

from autoresearch.records import session_memory
from autoresearch.records.session_memory import Assumption, FileNote, MemoryState, Skill, Stamp, Step, TimelineEntry

STAMP = Stamp("20261123_221500", "2026-11-23 22:15:00 +0100", "2026-11-24 01:00:00 +0100")
STATE = MemoryState(
    goal="raise validation accuracy of the tiny recipe",
    subtask="experiment 7 is running",
    status="6 of 24 attempted, 2 kept",
    verification="baseline repeated with 3 seeds; experiment 6 not yet repeated",
    latest_result="lower-kl kept, +0.021",
    stop_rule="24 experiments or 12h total, 45 min each",
    stop_sentence="stop condition not yet met: 6/24 attempted, 9h03m remaining",
    campaign="2026-11-23-tiny",
    repo="/home/someone/RL",
    branch="autoresearch/2026-11-23-tiny/higher-lr",
    head="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    uncommitted="notes.txt, there before the campaign",
    skills=(Skill("nemo-rl-auto-research", "the rules of the loop", "one hypothesis per branch"),),
    plan=(Step("baseline", done=True), Step("try a higher learning rate")),
    steering=("look at entropy first",),
    assumptions=(Assumption("one GPU per run", "recipe metric"),),
    constraints=("never touch main",),
    inspected=(FileNote("examples/configs/tiny.yaml", "the recipe"),),
    changed=(FileNote("examples/configs/tiny.yaml", "lr 1e-6 to 3e-6"),),
    generated=(FileNote("reports/auto_research_results.tsv", "ledger"),),
    next_actions=("judge experiment 7", "repeat experiment 6"),
    watch_outs=("the validation set has 256 samples",),
)


def test_the_state_has_the_skills_headers_and_sections():
    """Header and headings are those of the skill, in its order; goal, plan and rule are there in words."""
    text = session_memory.session_state(STATE, STAMP)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Goal", "Current Subtask", "Loaded Skills", "Current Status", "Plan", "Assumptions", "Blockers",
    ]  # fmt: skip
    assert text.split("\n\n")[1].splitlines()[:5] == [
        "- Session: 20261123_221500",
        "- Repo: /home/someone/RL",
        "- Branch: autoresearch/2026-11-23-tiny/higher-lr",
        "- Started: 2026-11-23 22:15:00 +0100",
        "- Updated: 2026-11-24 01:00:00 +0100",
    ]
    assert "- [x] baseline\n- [ ] try a higher learning rate\n" in text
    assert "- `nemo-rl-auto-research` - the rules of the loop; preserve: one hypothesis per branch\n" in text
    assert "- stop condition not yet met: 6/24 attempted, 9h03m remaining\n" in text
    assert text.endswith("## Blockers\n- None known\n")


def test_files_and_handoff_have_the_skills_sections():
    """Each path says why; the next action comes first."""
    assert session_memory.files(STATE) == (
        "# Files\n\n## Inspected\n- `examples/configs/tiny.yaml` - the recipe\n\n"
        "## Changed\n- `examples/configs/tiny.yaml` - lr 1e-6 to 3e-6\n\n"
        "## Generated\n- `reports/auto_research_results.tsv` - ledger\n"
    )
    handed = session_memory.handoff(STATE)
    assert re.findall(r"^## (.*)$", handed, re.MULTILINE) == ["Resume From Here", "Next Actions", "Watch Outs"]
    assert "## Next Actions\n- judge experiment 7\n" in handed
    assert "Goal: raise validation accuracy of the tiny recipe. On branch autoresearch/" in handed


def test_a_timeline_entry_says_what_there_is_to_say():
    """Four bullets at most, empty ones left out."""
    entry = TimelineEntry(asked="go on", decision="repeat experiment 6, because\nits effect is within noise")
    assert session_memory.timeline_entry(entry, "2026-11-24 01:00:00 +0100") == (
        "\n## 2026-11-24 01:00:00 +0100\n- User asked: go on\n"
        "- Decision: repeat experiment 6, because its effect is within noise\n"
    )


def test_an_empty_state_is_still_a_complete_file():
    """Nobody has to guess whether a section was forgotten."""
    text = session_memory.session_state(MemoryState(goal=""), STAMP)
    assert text.count("None recorded") == 6
    assert session_memory.goal_of(text) == ""


def test_what_grows_is_cut_to_what_is_recent():
    """After a thousand experiments the files still fit on a screen, and say what they leave out."""
    many = tuple(FileNote(f"runs/{number}", "log " * 1000) for number in range(1000))
    text = session_memory.files(MemoryState(goal="g", inspected=many, changed=many, generated=many))
    assert len(text) < 40_000
    assert "- (975 earlier ones left out)" in text
    assert "runs/999" in text
    handed = session_memory.handoff(
        MemoryState(goal="g", next_actions=tuple(f"action {number}" for number in range(99)))
    )
    assert "- action 0\n" in handed
    assert "- (74 further ones left out)" in handed


def test_git_has_the_last_word():
    """Notes that disagree with git are told, notes that agree or say nothing are not."""
    text = session_memory.session_state(STATE, STAMP)
    assert session_memory.mismatches(text, STATE.branch, STATE.head) == ()
    assert session_memory.mismatches("", "main", "abc") == ()
    assert session_memory.mismatches(text, "main", "abcdef") == (
        "the notes say branch autoresearch/2026-11-23-tiny/higher-lr, git says main",
        "the notes say commit 9f86d081884c, git says abcdef",
    )


def test_the_page_begins_with_the_handoff_and_ends_with_what_happened_last():
    """In the order in which one should read, and never longer than a page."""
    timeline = session_memory.TIMELINE + "".join(
        session_memory.timeline_entry(TimelineEntry(result=f"run {number}"), f"2026-11-24 {number:02d}:00:00")
        for number in range(99)
    )
    page = session_memory.recovery_page(
        session_memory.handoff(STATE), session_memory.session_state(STATE, STAMP), timeline, 4000
    )
    places = [page.index(title) for title in ("# Handoff", "# Session State", "# Timeline, newest", "run 97", "run 98")]
    assert places == sorted(places)
    assert len(page) <= 4000
    assert "run 1\n" not in page


anything = st.text(max_size=60) | st.sampled_from(
    ["## Goal\nforged", "\n- Branch: forged", "# x", "- [x] y", "\u2028## Plan\n"]
)


@given(st.builds(MemoryState, goal=anything, subtask=anything, branch=anything, status=anything, resume=anything,
                 steering=st.lists(anything, max_size=3).map(tuple), blockers=st.lists(anything, max_size=3).map(tuple)))  # fmt: skip
def test_no_text_can_forge_the_structure(state):
    """Steering, logs and agents' words stay inside their section, whatever they contain."""
    text = session_memory.session_state(state, STAMP)
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == 7
    assert len(re.findall(r"^- Branch: ", text, re.MULTILINE)) == 1
    assert session_memory.header_of(text)["session"] == STAMP.session
    assert session_memory.same_goal(state.goal, session_memory.goal_of(text)) or session_memory.goal_of(text) == ""
    assert len(re.findall(r"^## ", session_memory.handoff(state), re.MULTILINE)) == 3
    text.encode()


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400), st.integers(200, 900))
def test_damaged_notes_are_read_as_far_as_they_go(handed, state, timeline, limit):
    """Whatever a crash or a person left in the files, reading them works and stays bounded."""
    assert len(session_memory.recovery_page(handed, state, timeline, limit)) <= limit + 1
    session_memory.mismatches(state, "main", "abc")
    session_memory.goal_of(state)


def test_scrubbing_reaches_every_text():
    """No field is forgotten, however deep."""
    shouted = session_memory.scrub(STATE, str.upper)
    assert "the recipe" not in repr(shouted)
    assert shouted.inspected[0].why == "THE RECIPE"
    assert shouted.plan[0].done is True
