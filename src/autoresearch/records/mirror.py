"""A copy of journal and campaign file in git, where `git clean`, a stash or a removed folder does not reach.

`refs/autoresearch/<campaign>` names a commit whose tree holds both files as they were after the last row, at the last
end of a controller, and a few times between. What happened since is in the files alone. Logs and measurements of runs
are not in it.

```text
git push origin 'refs/autoresearch/*'                              # publish
git fetch origin 'refs/autoresearch/*:refs/autoresearch/*'         # get; then `autoresearch run` goes on
```
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from autoresearch.errors import CampaignError, LedgerError
from autoresearch.experiment.names import PREFIX
from autoresearch.git.call import ask, call
from autoresearch.machine import disk
from autoresearch.records import links
from autoresearch.records.paths import CampaignPaths

REFS, EVIDENCE = f"refs/{PREFIX}/", f"refs/{PREFIX}-evidence/"
JOURNAL, CAMPAIGN = "journal.jsonl", "campaign.yaml"


def save(paths: CampaignPaths) -> None:
    """Bring the copy up to date; nothing is done where nothing changed.

    Raises:
        LedgerError: The journal has parted from the copy, which is then left as it is: it is the older witness.
        RepositoryError: Git refused.
        StorageError: A file cannot be read.
    """
    refuse_parted(paths)
    entries = b""
    for name, file in ((CAMPAIGN, paths.campaign_file), (JOURNAL, paths.journal)):
        content = disk.read(file)
        if name == JOURNAL:
            content = content[: content.rfind(b"\n") + 1]
        if content:
            blob = call(paths.root, "hash-object", "-w", "--stdin", stdin=content).text
            entries += f"100644 blob {blob}\t{name}\n".encode()
    tree = call(paths.root, "mktree", stdin=entries).text
    if ask(paths.root, "rev-parse", "--verify", "--quiet", f"{REFS}{paths.name}^{{tree}}") != tree:
        commit = call(paths.root, "commit-tree", tree, "-m", f"Journal of {paths.name}").text
        call(paths.root, "update-ref", "-m", PREFIX, f"{REFS}{paths.name}", commit)


def keep_evidence(paths: CampaignPaths, files: Mapping[str, bytes]) -> str:
    """Copy what runs were made in beside the copy of the journal, by run id; the ref that holds it."""
    entries = b""
    for run_id, content in sorted(files.items()):
        blob = call(paths.root, "hash-object", "-w", "--stdin", stdin=content).text
        entries += f"100644 blob {blob}\t{run_id}.json\n".encode()
    tree = call(paths.root, "mktree", stdin=entries).text
    commit = call(paths.root, "commit-tree", tree, "-m", f"Surroundings of runs of {paths.name}").text
    call(paths.root, "update-ref", "-m", PREFIX, f"{EVIDENCE}{paths.name}", commit)
    return f"{EVIDENCE}{paths.name}"


def evidence(root: Path, name: str, run_id: str) -> Mapping[str, object]:
    """What a run was made in, from its copy in git; empty where there is none."""
    blob = ask(root, "rev-parse", "--verify", "--quiet", f"{EVIDENCE}{name}:{run_id}.json")
    with contextlib.suppress(ValueError):
        found = json.loads(call(root, "cat-file", "blob", blob).stdout) if blob else {}
        return found if isinstance(found, dict) else {}
    return {}


def names(root: Path) -> tuple[str, ...]:
    """Campaigns that have a copy, the newest first."""
    listed = call(root, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", REFS).text
    return tuple(ref.removeprefix(REFS) for ref in listed.split("\n") if ref)


def refuse(paths: CampaignPaths) -> None:
    """Refuse to begin a campaign under a name of which git holds a copy: the copy would be written over.

    Raises:
        CampaignError: It does; the message says how to go on with that one.
    """
    if paths.name in names(paths.root):
        left = [str(file) for file in (paths.campaign_file, paths.journal) if file.exists()]
        away = f"move {' and '.join(left)} away, then " if left else ""
        raise CampaignError(
            f"git has a copy of a campaign {paths.name!r} ({REFS}{paths.name}); {away}go on with it: "
            f"autoresearch run --campaign {paths.name}, or give the new one another name"
        )


def refuse_lost(paths: CampaignPaths) -> None:
    """Refuse to take a campaign for one that has not begun where git holds its journal.

    Raises:
        CampaignError: It does; the message says how to bring it back.
    """
    if lines(paths.root, paths.name):
        raise CampaignError(
            f"the journal of {paths.name} is gone, and git has a copy of it; bring it back with: "
            f"autoresearch ledger rebuild --campaign {paths.name}, or give a new campaign another name"
        )


def refuse_parted(paths: CampaignPaths) -> None:
    """Refuse to go on with a journal of which lines are not those that git has a copy of; one that is gone is no such.

    Raises:
        LedgerError: It has parted from its copy; the message says where, and how to go on.
        StorageError: It cannot be read.
    """
    if why := parted(paths):
        raise LedgerError(
            f"{paths.journal} was rewritten: {why}. Nothing is run by such records; put the copy in its place with: "
            f"autoresearch ledger rebuild --campaign {paths.name}, or, if it was you who changed it, let it stand "
            f"with: git update-ref -d {REFS}{paths.name}"
        )


def parted(paths: CampaignPaths) -> str:
    """Where the journal says something else than its copy, or has less; empty where it goes on from it, or is gone."""
    ours = disk.read(paths.journal)
    kept = _content(paths.root, paths.name, JOURNAL) if ours.strip() else b""
    if ours.startswith(kept):
        return ""
    whole = _lines(ours[: ours.rfind(b"\n") + 1])
    return next((f"line {number} {why}" for number, why in links.against_copy(whole, _lines(kept))), "")


def lines(root: Path, name: str) -> tuple[bytes, ...]:
    """The whole lines of the copied journal; none where there is no copy."""
    return _lines(_content(root, name, JOURNAL))


def restore(paths: CampaignPaths) -> bool:
    """Write the files anew from the copy, where they are missing; whether there was one.

    Raises:
        StorageError: The disk refused.
    """
    found = {name: _content(paths.root, paths.name, name) for name in (CAMPAIGN, JOURNAL)}
    for name, file in ((CAMPAIGN, paths.campaign_file), (JOURNAL, paths.journal)):
        if found[name] and not disk.read(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(file, found[name])
    return any(found.values())


def _lines(content: bytes) -> tuple[bytes, ...]:
    return tuple(content.removesuffix(b"\n").split(b"\n")) if content else ()


def _content(root: Path, name: str, file: str) -> bytes:
    blob = ask(root, "rev-parse", "--verify", "--quiet", f"{REFS}{name}:{file}")
    return call(root, "cat-file", "blob", blob).stdout if blob else b""
