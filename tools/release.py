"""Release work that no person should do by hand; CONTRIBUTING.md ("Releasing") says when to do which.

    python tools/release.py cut 0.2.0      changelog from the fragments, version in its two homes
    python tools/release.py check 0.2.0    is this tree that release, whole?
    python tools/release.py notes 0.2.0    that version's part of the changelog
    python tools/release.py home URL       the project's addresses, once the repository has a public home

`cut` may be run again until the version is tagged: what came meanwhile is added to its part of the changelog.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG, FRAGMENTS, PYPROJECT = ROOT / "CHANGELOG.md", ROOT / "changelog.d", ROOT / "pyproject.toml"
VERSION_HOMES = (
    (ROOT / "src/autoresearch/version.py", r'^__version__ = "(.*)"$'),
    (ROOT / "CITATION.cff", r'^version: "(.*)"$'),
)
MARK = "<!-- releases -->\n"
PARTS = re.compile(r"^## (\S+) .*\n(?:(?!^## ).*\n?)*", re.MULTILINE)
GROUPS = re.compile(r"^### (\w+)\n\n((?:(?!^##).*\n?)*)", re.MULTILINE)


def cut(version: str, day: date) -> None:
    """Make the tree that release; nothing is committed."""
    if git("tag", "--list", f"v{version}"):
        sys.exit(f"v{version} is tagged already; choose the next version")
    parts = changelog_parts()
    if not [known for known in parts if known != version]:
        drop_fixes(version)
    old, new = groups(parts.get(version, "")), groups(assembled(version, day))
    if not old and not new:
        sys.exit("no fragments in changelog.d: nothing to release")
    head = CHANGELOG.read_text().partition(MARK)[0] + MARK
    others = [part for known, part in parts.items() if known != version]
    CHANGELOG.write_text("\n".join([head, joined(version, day, old, new), *others]))
    for path in fragments():
        path.unlink()
    for path, pattern in VERSION_HOMES:
        replace(path, pattern, version)
    replace(ROOT / "CITATION.cff", r'^date-released: "(.*)"$', day.isoformat())
    print(f"{version} is cut. Read CHANGELOG.md, then commit, tag v{version} and push the tag.")


def drop_fixes(version: str) -> None:
    """Before the first release nobody has met a fault: what mends one is no entry."""
    fixes = sorted(FRAGMENTS.glob("*.fixed.md"))
    for path in fixes:
        path.unlink()
    if fixes:
        names = ", ".join(path.name.removesuffix(".fixed.md") for path in fixes)
        print(f"nothing was released before {version}, so these fixes are no entries: {names}")


def assembled(version: str, day: date) -> str:
    """The fragments as towncrier puts them together."""
    words = ("--draft", "--version", version, "--date", day.isoformat())
    return run(sys.executable, "-m", "towncrier", "build", *words)


def joined(version: str, day: date, *sides: dict[str, str]) -> str:
    """A version's part of the changelog: each kind once, entries of the sides one after the other."""
    kinds = [kind["name"] for kind in tomllib.loads(PYPROJECT.read_text())["tool"]["towncrier"]["type"]]
    texts = {kind: "\n".join(side[kind] for side in sides if kind in side) for kind in kinds}
    told = "".join(f"\n### {kind}\n\n{text}\n" for kind, text in texts.items() if text)
    return f"## {version} ({day.isoformat()})\n{told}"


def check(version: str) -> None:
    """Refuse a tree that is not the whole release it is tagged as."""
    wrong = [f"{path.name} is not of {version}" for path, pattern in VERSION_HOMES if told(path, pattern) != version]
    wrong += [] if version in changelog_parts() else [f"CHANGELOG.md has no {version}"]
    wrong += [f"not in the changelog yet: {path.name}" for path in fragments()]
    if wrong:
        sys.exit("\n".join([*wrong, f"run: python tools/release.py cut {version}"]))


def notes(version: str) -> None:
    """Print what is new in a version, without its heading."""
    if version not in changelog_parts():
        sys.exit(f"CHANGELOG.md has no {version}")
    print(changelog_parts()[version].partition("\n")[2].strip())


def home(url: str) -> None:
    """Write the addresses that follow from where the repository is published."""
    url = url.rstrip("/")
    pages = {
        "Homepage": url,
        "Documentation": f"{url}/blob/main/docs/index.md",
        "Source": url,
        "Changelog": f"{url}/blob/main/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }
    lines = "".join(f'{key} = "{page}"\n' for key, page in pages.items())
    text = re.sub(rf"^(?:{'|'.join(pages)}) = .*\n", "", PYPROJECT.read_text(), flags=re.MULTILINE)
    PYPROJECT.write_text(
        re.sub(r"^\[project\.urls\]\n(?:#.*\n)*", f"[project.urls]\n{lines}", text, flags=re.MULTILINE)
    )
    citation = ROOT / "CITATION.cff"
    kept = re.sub(r"^repository-code: .*\n", "", citation.read_text(), flags=re.MULTILINE)
    citation.write_text(f'{kept}repository-code: "{url}"\n')


def changelog_parts() -> dict[str, str]:
    """What the changelog says, by version, newest first."""
    text = CHANGELOG.read_text().partition(MARK)[2]
    return {part[1]: part[0].rstrip() + "\n" for part in PARTS.finditer(text)}


def groups(part: str) -> dict[str, str]:
    """A version's entries by kind, as they stand."""
    return {group[1]: group[2].strip() for group in GROUPS.finditer(part)}


def fragments() -> list[Path]:
    return sorted(path for path in FRAGMENTS.glob("*.md") if path.name != "README.md")


def told(path: Path, pattern: str) -> str:
    """What a file gives as its version."""
    found = re.search(pattern, path.read_text(), re.MULTILINE)
    if not found:
        sys.exit(f"{path}: no line like {pattern}")
    return found[1]


def replace(path: Path, pattern: str, value: str) -> None:
    line = re.search(pattern, path.read_text(), re.MULTILINE)
    if not line:
        sys.exit(f"{path}: no line like {pattern}")
    path.write_text(path.read_text().replace(line[0], line[0].replace(line[1], value), 1))


def git(*words: str) -> str:
    return run("git", *words)


def run(*words: str) -> str:
    """What a program prints; its own words when it fails."""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("cut", "check", "notes"):
        verbs.add_parser(name).add_argument("version", metavar="VERSION")
    today = datetime.now(UTC).date()
    verbs.choices["cut"].add_argument("--date", type=date.fromisoformat, default=today, help="default: today")
    verbs.add_parser("home").add_argument("url", metavar="URL")
    args = parser.parse_args()
    if args.verb != "home" and not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", args.version):
        parser.error(f"{args.version!r} is no version like 0.2.0 or 0.3.0rc1")
    match args.verb:
        case "cut":
            cut(args.version, args.date)
        case "check":
            check(args.version)
        case "notes":
            notes(args.version)
        case "home":
            home(args.url)


if __name__ == "__main__":
    main()
