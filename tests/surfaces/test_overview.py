"""What the field expects of a command line: `list`, `help`, completion, order of words, defaults, quiet, a version."""

import json
import shutil
import subprocess

import pytest

from autoresearch.cli.main import COMMANDS, GROUPS


def test_help_groups_every_command_once():
    """Nothing is missing and nothing is told twice."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


def test_list_tells_campaigns_with_their_state(lab):
    """A planned one too; and what it writes for programs has a version."""
    head, row = lab.cli("list").stdout.splitlines()
    assert head.split() == ["campaign", "state", "attempted", "kept", "best", "metric"]
    assert row.split() == ["night", "planned", "0", "0", "score"]
    told = json.loads(lab.cli("list", "--json").stdout)
    assert (told["schema_version"], told["campaigns"][0]["state"]) == (2, "planned")


def test_a_campaign_that_cannot_be_read_is_told_beside_the_others(lab):
    """One broken file hides no campaign."""
    lab.write()
    shutil.copytree(lab.folder, lab.folder.with_name("broken"))
    (lab.folder.with_name("broken") / "campaign.yaml").write_text("campaign: [\n")
    assert {line.split()[1] for line in lab.cli("list").stdout.splitlines()[1:]} == {"planned", "unreadable"}


def test_options_may_stand_before_the_command(lab):
    """`--repo DIR status` is `status --repo DIR`."""
    lab.write()
    done = lab.cli("--repo", str(lab.root), "--campaign", "night", "status", "--json")
    assert json.loads(done.stdout)["campaign"] == "night"
    assert "did you mean '--campaign'?" in lab.cli("--campaing", "night", "status").stderr


def test_a_campaign_and_a_repository_may_come_from_the_environment(lab, tmp_path):
    """The command line wins."""
    lab.write()
    own = {"AUTORESEARCH_REPO": str(lab.root), "AUTORESEARCH_CAMPAIGN": "other"}
    assert "no campaign 'other'" in lab.cli("status", **own).stderr
    assert lab.cli("status", "--campaign", "night", **own).returncode == 0
    assert lab.cli("status", AUTORESEARCH_REPO=str(tmp_path)).returncode != 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[status]\njson = true\n", ""),
        ("[status]\njsn = true\n", "did you mean 'json'?"),
        ("[stats]\njson = true\n", "did you mean 'status'?"),
        ('[status]\njson = "yes"\n', "is not what --json takes"),
        ("[status]\nlast = true\n", "is not what --last takes"),
        ('[status]\nlast = "many"\n', "is not what --last takes"),
        ("[run]\nyes = true\n", ""),
        ("json = true\n", "is no command"),
        ("[status\n", "is no TOML"),
    ],
)
def test_a_persons_own_file_gives_defaults_or_says_what_is_wrong(lab, tmp_path, text, says):
    """Of the command that is meant; a table of another one is none of its business, a misspelt one is."""
    lab.write()
    (tmp_path / "mine.toml").write_text(text)
    done = lab.cli("status", AUTORESEARCH_CONFIG=str(tmp_path / "mine.toml"))
    assert says in done.stderr
    assert (done.returncode, done.stdout.startswith("{")) == ((2, False) if says else (0, "json" in text))


def test_a_yes_is_no_default(lab, tmp_path):
    """Approval is said each time."""
    (tmp_path / "mine.toml").write_text("[run]\nyes = true\n")
    done = lab.cli("run", AUTORESEARCH_CONFIG=str(tmp_path / "mine.toml"))
    assert "yes is said on the command line each time" in done.stderr


def test_a_name_that_nobody_typed_approves_no_plan_of_an_agents_unread(lab, tmp_path):
    """Whatever can write a person's file, or a variable of their shell, would choose what their next yes is for."""
    lab.write()
    (lab.folder / "planned_by.txt").write_text("an agent")
    (tmp_path / "mine.toml").write_text('[run]\ncampaign = "night"\n')
    for found in ({"AUTORESEARCH_CONFIG": str(tmp_path / "mine.toml")}, {"AUTORESEARCH_CAMPAIGN": "night"}):
        assert "was planned by an agent and has not been reviewed" in lab.cli("run", "--yes", **found).stderr
    assert lab.journal() == []


def test_a_file_of_defaults_that_is_named_and_missing_is_told(lab, tmp_path):
    """The file at its usual place may be missing; one that was named was meant."""
    done = lab.cli("list", AUTORESEARCH_CONFIG=str(tmp_path / "gone.toml"))
    assert done.returncode == 2
    assert "gone.toml, which is not there" in done.stderr


def test_quiet_says_nothing_of_what_went_well_and_asks_nothing_unseen(lab):
    """A plan is written without a word; a question that nobody could read is refused."""
    lab.write()
    assert "add --yes" in lab.cli("-q", "run").stderr
    done = lab.cli("pause", "-q")
    assert done.stdout == ""
    assert lab.cli("-q", "list").stdout != ""


def test_verbose_says_where_a_failure_came_from(lab):
    """The story before the one line."""
    told = lab.cli("-v", "status", "--campaign", "nope").stderr
    assert "Traceback" in told
    assert "Traceback" not in lab.cli("status", "--campaign", "nope").stderr


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("st", "status"), ("status --j", "--json"), ("--repo . lis", "list"), ("--q", "--quiet"), ("help ad", "adopt")],
)
def test_bash_completes_commands_and_flags(lab, typed, wanted):
    """With the words that the program prints."""
    script = lab.cli("completion", "bash").stdout
    ask = f"COMP_WORDS=(autoresearch {typed}); COMP_CWORD={len(typed.split())}; _autoresearch; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
    assert wanted in done.stdout.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_words_for_other_shells_are_such(lab, shell):
    """Checked by the shell itself where it is installed."""
    script = lab.cli("completion", shell).stdout
    assert all(name in script for name in COMMANDS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_help_of_a_command_is_what_its_flag_prints(lab):
    """`help plan` and `plan --help`."""
    assert lab.cli("help", "plan").stdout == lab.cli("plan", "--help").stdout
    assert "there is no command 'paln'; did you mean 'plan'?" in lab.cli("help", "paln").stderr


def test_a_rehearsal_of_no_time_is_refused(lab):
    """Before anything is run."""
    assert "more than 0" in lab.cli("init", "--minutes", "0", "--yes", "--", "true").stderr
