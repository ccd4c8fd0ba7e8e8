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
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoresearch.errors import CampaignError, LedgerError
from autoresearch.experiment.names import PREFIX, campaign_prefix, run_id
from autoresearch.git.call import call
from autoresearch.git.commits import RefContent, fill_ref
from autoresearch.git.objects import contents_of, objects_at
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
    files = {CAMPAIGN: disk.read(paths.campaign_file), JOURNAL: disk.read(paths.journal)}
    files[JOURNAL] = files[JOURNAL][: files[JOURNAL].rfind(b"\n") + 1]
    files, kept = {name: content for name, content in files.items() if content}, _kept(paths)
    _refuse(paths, _parting(paths, files.get(JOURNAL, b""), kept.get(JOURNAL)))
    if files.keys() != kept.keys() or not all(_is(content, kept[name]) for name, content in files.items()):
        fill_ref(paths.root, RefContent(f"{REFS}{paths.name}", f"Journal of {paths.name}", None, files, replaces=True))


def keep_evidence(paths: CampaignPaths, files: Mapping[str, bytes]) -> str:
    """Copy what runs were made in beside the copy of the journal, by run id; the ref that holds it."""
    named, ref = {f"{run_id}.json": content for run_id, content in sorted(files.items())}, f"{EVIDENCE}{paths.name}"
    fill_ref(paths.root, RefContent(ref, f"Surroundings of runs of {paths.name}", None, named, replaces=True))
    return ref


def evidence(root: Path, name: str, run_id: str) -> Mapping[str, object]:
    """What a run was made in, from its copy in git; empty where there is none."""
    (content,) = contents_of(root, [f"{EVIDENCE}{name}:{run_id}.json"])
    with contextlib.suppress(ValueError):
        found = json.loads(content) if content else {}
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


def refuse_doubted(paths: CampaignPaths) -> None:
    """Refuse to act by a journal of which there is reason to think that it is not what happened: see `doubt`.

    A journal that goes on from its copy is no such, however much further it goes: whoever writes it died meanwhile.

    Raises:
        LedgerError: There is; the message says why, and what to do, knowingly or to get back what it lacks.
        RepositoryError: Git refused.
        StorageError: A file cannot be read.
    """
    if why := doubt(paths):
        raise LedgerError(why)


def parted(paths: CampaignPaths) -> str:
    """Where the journal says something else than its copy, or has less; empty where it goes on from it, or is gone."""
    kept = _kept(paths).get(JOURNAL)
    return _parting(paths, disk.read(paths.journal), kept)


def doubt(paths: CampaignPaths) -> str:
    """Why what the journal says may not be what happened, and what to do, in one sentence; empty without a reason.

    Either lines of it are not those of the copy in git, or ledger and runs' folders know of more than it does.

    Raises:
        RepositoryError: Git refused.
        StorageError: A file cannot be read.
    """
    kept, known = _kept(paths).get(JOURNAL), witnesses(paths)  # before the journal, which may grow meanwhile
    ours = disk.read(paths.journal)
    if why := _parting(paths, ours, kept):
        return _told(paths, why)
    if ours.strip() and (lost := tuple(unknown(ours, known).values())):
        return (
            f"{paths.journal} lacks what came last: {listed(lost)}. It is an older one, or was cut, and no "
            f"copy has those lines; write down that they are lost, and go on, with: "
            f"autoresearch ledger rebuild --campaign {paths.name}"
        )
    return ""


def witnesses(paths: CampaignPaths) -> dict[str, str]:
    """What the newest rows of the ledger and the newest folders of runs name, by the word that the journal has for it.

    An older journal lacks what came last, so nothing else is asked of a long campaign. A run is called as it was when
    it was sent, whatever its folder is called now: somebody may have copied that, to keep or to compare it.
    """
    prefix = re.escape(campaign_prefix(paths.name)).encode()
    rows = re.findall(rb"(?:^|\t)(%s/[\w.-]+)(?=\t)" % prefix, disk.read(paths.ledger), re.MULTILINE)[-_NEWEST:]
    runs = {_sent_as(paths, *run): f"run {run[1]} of {run[0]}" for run in sorted(paths.submitted(_NEWEST))}
    return {**{branch.decode(): f"the row of {branch.decode()}" for branch in rows}, **runs}


def _sent_as(paths: CampaignPaths, experiment: str, number: int) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(paths.environment(experiment, number).read_bytes())["run_id"])
    return run_id(paths.name, experiment, number)


_NEWEST = 64


def unknown(journal: bytes, known: Mapping[str, str]) -> dict[str, str]:
    """Which of these words stand nowhere in a journal; newest ones are looked for, so from its end."""
    return {word: told for word, told in known.items() if journal.rfind(f'"{word}"'.encode()) < 0}


def listed(lost: Sequence[str]) -> str:
    """The first three of these, and how many more there are."""
    return ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")


_Kept = tuple[str, int]
"""Git's name for what it holds, which is made of the content, and how long that is."""


def _parting(paths: CampaignPaths, ours: bytes, kept: _Kept | None) -> str:
    """The copy itself, which may be long, is read only where its hash says that something is wrong."""
    if kept is None or not ours.strip() or _begins_as(ours, kept):
        return ""
    whole = _lines(ours[: ours.rfind(b"\n") + 1])
    theirs = _lines(_copy(paths).get(JOURNAL, b""))
    return next((f"line {number} {why}" for number, why in links.against_copy(whole, theirs)), "")


def _begins_as(content: bytes, kept: _Kept) -> bool:
    """Whether content begins with what git holds under this name, or is just that."""
    named, size = kept
    if len(content) < size:
        return False
    found = hashlib.new("sha256" if len(named) == 64 else "sha1", b"blob %d\0" % size, usedforsecurity=False)
    found.update(memoryview(content)[:size])
    return found.hexdigest() == named


def _is(content: bytes, kept: _Kept) -> bool:
    return len(content) == kept[1] and _begins_as(content, kept)


def _refuse(paths: CampaignPaths, why: str) -> None:
    if why:
        raise LedgerError(_told(paths, why))


def _told(paths: CampaignPaths, why: str) -> str:
    return (
        f"{paths.journal} was rewritten: {why}. Nothing is run by such records; put the copy in its place with: "
        f"autoresearch ledger rebuild --campaign {paths.name}, or, if it was you who changed it, let it stand "
        f"with: git update-ref -d {REFS}{paths.name}"
    )


def lines(root: Path, name: str) -> tuple[bytes, ...]:
    """The whole lines of the copied journal; none where there is no copy."""
    (content,) = contents_of(root, [f"{REFS}{name}:{JOURNAL}"])
    return _lines(content or b"")


def restore(paths: CampaignPaths) -> bool:
    """Write the files anew from the copy, where they are missing; whether there was one.

    Raises:
        StorageError: The disk refused.
    """
    found = _copy(paths)
    for name, file in ((CAMPAIGN, paths.campaign_file), (JOURNAL, paths.journal)):
        if name in found and not disk.read(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(file, found[name])
    return bool(found)


def _lines(content: bytes) -> tuple[bytes, ...]:
    return tuple(content.removesuffix(b"\n").split(b"\n")) if content else ()


def _copy(paths: CampaignPaths) -> dict[str, bytes]:
    """What git has a copy of, by name."""
    kept = contents_of(paths.root, [f"{REFS}{paths.name}:{name}" for name in (CAMPAIGN, JOURNAL)])
    return {name: content for name, content in zip((CAMPAIGN, JOURNAL), kept, strict=True) if content}


def _kept(paths: CampaignPaths) -> dict[str, _Kept]:
    """The same, by hash and size alone."""
    found = objects_at(paths.root, [f"{REFS}{paths.name}:{name}" for name in (CAMPAIGN, JOURNAL)])
    return {name: said for name, said in zip((CAMPAIGN, JOURNAL), found, strict=True) if said and said[1]}
