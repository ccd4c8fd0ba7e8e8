"""Records `autoresearch demo` for the documentation: `python tools/record_demo.py` (needs tmux, Chromium, minutes).

The demo runs in a tmux window of its own. The screen is captured shortly before the last experiment and at the end;
both captures go between the marks of `docs/demo.md`, the progress plot the demo drew and a picture of its dashboard to
`docs/images/`.
Nothing is edited but the names of two folders, which become `~` and `.venv`.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import picture_dashboard

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "demo.md"
PICTURE = ROOT / "docs" / "images" / "demo-progress.png"
WINDOW = f"autoresearch-demo-{int(time.time())}"
LONGEST_S = 600


def main() -> int:
    """Record, and put the result into the documentation."""
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        shell = f"cd {folder} && PATH={scripts}:$PATH PS1='$ ' exec bash --norc --noprofile"
        _tmux("new-session", "-d", "-s", WINDOW, "-x", "140", "-y", "44", shell)
        try:
            _tmux("send-keys", "-t", WINDOW, "clear; time autoresearch demo --dir demo", "Enter")
            middle, end = _watch()
        finally:
            _tmux("kill-session", "-t", WINDOW)
        clean = [text.replace(folder, "~").replace(str(scripts.parent), ".venv") for text in (middle, end)]
        picture = next(Path(folder).glob("demo/reports/auto_research/*/progress.png"))
        PICTURE.parent.mkdir(exist_ok=True)
        shutil.copyfile(picture, PICTURE)
        picture_dashboard.draw(Path(folder) / "demo")
    text = PAGE.read_text(encoding="utf-8")
    for name, screen in zip(("middle", "end"), clean, strict=True):
        text = _between(text, name, screen)
    PAGE.write_text(text, encoding="utf-8")
    return 0


def _watch() -> tuple[str, str]:
    """The screen in the middle of the campaign, and everything printed once it is over."""
    middle, began = "", time.monotonic()
    while time.monotonic() - began < LONGEST_S:
        time.sleep(1)
        screen = _tmux("capture-pane", "-p", "-t", WINDOW)
        found = re.search(r"(\d+)/(\d+) attempted", screen)
        if found and "running  " in screen and "stop condition not yet met" in screen:
            middle = screen
        if re.search(r"^real\s", screen, re.MULTILINE):
            end = _tmux("capture-pane", "-p", "-S", "-200", "-t", WINDOW)
            if "Report: " not in end or not middle:
                raise RuntimeError(f"the demo did not end as it should:\n{end}")
            return middle, end
    raise TimeoutError(f"the demo was not over after {LONGEST_S} s")


def _between(text: str, name: str, screen: str) -> str:
    """The page with a screen between its marks."""
    lines = "\n".join(line.rstrip() for line in screen.strip("\n").splitlines())
    block = f"<!-- {name} -->\n```text\n{lines}\n```\n<!-- /{name} -->"
    return re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _: block, text, flags=re.DOTALL)


def _tmux(*words: str) -> str:
    return subprocess.run(("tmux", *words), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
