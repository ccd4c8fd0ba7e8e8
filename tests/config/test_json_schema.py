"""The JSON Schema of the campaign file: what editors are told is what the program reads."""

import jsonschema
import pytest
import yaml

import autoresearch as ar
from autoresearch.config import campaign_file
from autoresearch.config.campaign_file import schema
from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import CampaignError

NAMES = {"TargetConfig": ("nemo-rl", "command"), "LauncherConfig": ("local", "slurm")}
ACCEPTED = {
    "only a name": {},
    "names alone": {"target": "command", "launcher": "slurm", "researcher": "playbook", "site": "brev"},
    "a plug-in": {"launcher": {"type": "ours", "queue": "night"}},
    "several researchers": {"researcher": ["playbook", {"type": "file", "path": "ideas.yaml", "share": 2}]},
    "trackers": {"trackers": ["wandb", {"type": "mlflow", "uri": "file:here"}]},
    "one researcher": {"researcher": {"type": "file", "path": "ideas.yaml"}},
    "nothing said": {"stop": None, "command": None, "verdict": {"worth": None}},
    "a command": {"command": ["python", "train.py"], "run": {"env": {"A": "1"}}},
}
REFUSED = {
    "an unknown key": {"objektive": {}},
    "an unknown key below": {"verdict": {"wurth": 0.1}},
    "a word that is none of the choices": {"approval": {"plan": "yes"}},
    "a number out of range": {"verdict": {"confirm": 2}},
    "a command in one string": {"command": "python train.py"},
    "a stop rule that is a number": {"stop": 50},
    "two things at once": {"launcher": {"parallel": 0}},
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_the_program_reads_is_valid(case):
    """Also once it was written by the program, and with an adapter's name alone."""
    document = {"campaign": "night", **ACCEPTED[case]}
    made = CampaignConfig.of(document)
    jsonschema.validate(document, schema(NAMES))
    jsonschema.validate(yaml.safe_load(campaign_file.text(made)), schema(NAMES))


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_program_refuses_is_marked(case):
    """An editor shows it before `run` does."""
    document = {"campaign": "night", **REFUSED[case]}
    with pytest.raises(CampaignError):
        CampaignConfig.of(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema(NAMES))


def test_every_key_says_what_it_means():
    """Words under a key are those of the reference; an adapter's names are offered."""
    made = ar.schema()
    jsonschema.Draft202012Validator.check_schema(made)
    mute = [
        f"{part}.{key}"
        for part, model in made["$defs"].items()
        for key, value in model["properties"].items()
        if not value.get("description")
    ]
    assert mute == []
    assert "slurm" in made["$defs"]["LauncherConfig"]["properties"]["type"]["anyOf"][0]["enum"]


def test_a_written_file_names_the_schema_that_lies_beside_it(lab):
    """The first line leads an editor to it, from the file's own folder."""
    wanted = {"name": "mine", "target": "command", "command": ["true"], "metric": "score", "direction": "maximize"}
    plan = ar.plan(repo=lab.root, **wanted, settings={"researcher": []})
    first = plan.file.read_text().partition("\n")[0]
    found = plan.file.parent / first.removeprefix("# yaml-language-server: $schema=")
    assert yaml.safe_load(found.read_text()) == ar.schema()
    assert yaml.safe_load(lab.cli("plan", "--schema").stdout) == ar.schema()
