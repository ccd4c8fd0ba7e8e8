"""What a researcher claims of its idea is held against the commit."""

import yaml

SCRIPT = {"*": {"value": [0.5]}}


def test_a_tie_keeps_only_what_is_simpler_in_the_commit(lab):
    """Both ideas claim to simplify and both are ties: the one that adds something is discarded, and it is said why."""
    ideas = [
        {"title": "add weight decay", "overrides": ["wd=0.1"], "simplifies": True},
        {"title": "do without the rate", "overrides": ["lr=0"], "simplifies": True},
    ]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    lab.write(stop="3 experiments", launcher={"type": "scripted", "script": SCRIPT})
    told = lab.run().stdout
    rows = lab.rows()
    assert [row.status.value for row in rows] == ["keep", "discard", "keep"]
    assert "simpler" in rows[2].reason
    assert "'add weight decay' claims to simplify, but its commit removes no more than it adds" in told
    assert "'do without the rate' claims" not in told
