"""What the guards say of commits that a project's own people made: how many honest ones are refused or held, and why.

`python tools/real_diffs.py CLONE [--show WORD]` walks all commits of a clone of NeMo-RL (a bare one will do), leaves
out of each what no idea brings along (tests, documentation, CI), and looks at those of which the rest is training code
or recipes. docs/design/integrity.md tells what came out.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from autoresearch.experiment.change import FileChange
from autoresearch.git import diffs, objects
from autoresearch.git.call import call
from autoresearch.guards import grip, shadows
from autoresearch.guards.scope import Scope, breaches
from autoresearch.targets.nemo_rl import protection

SCRIPTS = ("examples/run_grpo.py", "examples/run_grpo_math.py", "examples/run_sft.py", "examples/run_dpo.py")
METRIC = "validation/accuracy"
BESIDE = re.compile(r"^(tests/|docs/|\.github/|docker/|tools/|research/|.*\.(md|ipynb|lock|ini|cfg|toml)$|\.|[^/]*$)")
"""What a change of a project brings along, and an idea does not."""
TRAINS = re.compile(r"^(nemo_rl/.*\.py|examples/configs/.*\.ya?ml)$")


def main() -> None:
    """Print a table of what was found, and the cases of one kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--show", default="", metavar="WORD", help="list what is said with this word in it")
    args = parser.parse_args()
    counted, kinds = Counter[str](), Counter[str]()
    for commit, changes in _ideas(args.clone):
        verdict, said = examine(args.clone, commit, changes)
        counted[verdict] += 1
        kinds.update({_kind(one) for one in said})
        for one in said:
            if args.show and args.show in f"{verdict}: {one}":
                print(commit[:9], f"{verdict}: {one}")
    for verdict, number in counted.most_common():
        print(f"{number:5} {100 * number / max(1, sum(counted.values())):5.1f} %  {verdict}")
    for kind, number in kinds.most_common(40):
        print(f"{number:9}  {kind}")


def _ideas(clone: Path) -> Iterator[tuple[str, tuple[FileChange, ...]]]:
    """Commits with the part of each that could be an idea; what is the same on two branches counts once."""
    known = set[str]()
    for line in call(clone, "log", "--all", "--no-merges", "--min-parents=1", "--format=%H").text.splitlines():
        every = diffs.file_changes(clone, f"{line}^", line)
        changes = tuple(one for one in every if not BESIDE.match(one.path))
        same = call(clone, "diff", "--raw", "--no-renames", f"{line}^", line).text
        if not changes or not any(TRAINS.match(one.path) for one in changes) or same in known:
            continue
        known.add(same)
        yield line, changes


def examine(clone: Path, commit: str, changes: tuple[FileChange, ...]) -> tuple[str, tuple[str, ...]]:
    """What becomes of one change: a word for it, and what is said."""
    before, scope = f"{commit}^", Scope(protect=protection.files(), protect_keys=protection.keys())
    files = objects.files_of(clone, before)
    tree = shadows.SearchedTree(
        files=files,
        scripts=tuple(one for one in SCRIPTS if one in files),
        outside=lambda: diffs.imported_names(clone, before) - {part for file in files for part in Path(file).parts},
    )
    refused = breaches(changes, scope)
    paths = [one.path for one in changes]
    led = shadows.redirects(_of(diffs.diff(clone, before, commit), paths), scope)
    found = (*shadows.shadows(changes, scope, tree), *led)
    texts = _texts(clone, before, commit, paths)
    if any("protected" in one or "never" in one for one in refused):
        return "changes a file that measures", ()
    if any(_validates(old) != _validates(new) for old, new in texts.values()):
        return "changes a function that validates", ()
    if any("allowed" in one for one in refused):
        return "larger than an idea may be by itself", ()
    if refused or found:
        return "refused", (*refused, *found)
    guarded = [file for file in sorted(files) if file.endswith(".py") and scope.protected.match(file)]
    sources = objects.contents_of(clone, [f"{before}:{file}" for file in guarded])
    kept = {file: (text or b"").decode("utf-8", "replace") for file, text in zip(guarded, sources, strict=True)}
    validating = {name for pair in texts.values() for name in _validates(pair[0])}
    known = grip.yardsticks(tree, kept, validating, METRIC)
    held = [f"{file} is a shell script" for file in paths if file.endswith((".sh", ".bash"))]
    held += [one for file, (old, new) in texts.items() for one in grip.grips(file, old, new, known)]
    return ("held" if held else "let through"), tuple(held)


def _texts(clone: Path, before: str, after: str, paths: list[str]) -> dict[str, tuple[str, str]]:
    """Python files of a change, before and after; one that was taken away says nothing."""
    code = [path for path in paths if path.endswith(".py")]
    told = objects.contents_of(clone, [f"{commit}:{path}" for commit in (before, after) for path in code])
    texts = [(text or b"").decode("utf-8", "replace") for text in told]
    return {path: (old, new) for path, old, new in zip(code, texts[: len(code)], texts[len(code) :], strict=True)}


def _validates(text: str) -> dict[str, str]:
    return dict(protection._functions(text))  # noqa: SLF001 - what `measuring_code` is made of, of one text


def _of(difference: str, paths: list[str]) -> str:
    """Of a whole difference the part of these files."""
    parts = re.split(r"(?m)^(?=diff --git )", difference)
    return "".join(part for part in parts if any(f" b/{path}\n" in part[:2000] for path in paths))


def _kind(said: str) -> str:
    """What is said, without which file and line it is about."""
    return re.sub(r"^\S+?(:\d+)? ", "", said)


if __name__ == "__main__":
    main()
