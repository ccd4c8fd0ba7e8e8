"""What a campaign has learned is on a page, in its briefs and in those of the next campaign of the repository."""


def test_the_page_is_renewed_and_the_next_campaign_is_told_what_is_confirmed(finished):
    """A loss whose interval holds no gain is a lesson, a gain that nothing vouches for is none; it is noted once."""
    finished.name = "day"
    finished.write(stop="3 experiments", verdict={"policy": "greedy", "baseline_runs": 2, "confirm": 0, "insights": 1})
    assert finished.run().returncode == 0
    page = (finished.folder / "insights.md").read_text()
    assert "### What helped\n\n- #2 raise the learning rate `lr=0.2`: +0.195 [" in page
    (note,) = [one for one in finished.journal("noted") if one["text"].startswith("confirmed by earlier campaigns")]
    (line,) = note["details"].values()
    assert line.startswith("night at ")
    assert ", never: `wd` raised: 1 idea, not kept (#3), together -0.199 [" in line
    for row in finished.rows()[-2:]:
        brief = (finished.folder / row.branch.rpartition("/")[2] / "brief.md").read_text()
        assert f"### Confirmed by earlier campaigns of this repository\n\n- {line}" in brief
