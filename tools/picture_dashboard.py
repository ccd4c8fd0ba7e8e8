"""Draws the dashboard of a campaign for the README: `python tools/picture_dashboard.py REPOSITORY` (needs Chromium).

`autoresearch dashboard` is started on the repository, Chromium opens the page of the campaign worked on last, and what
a window of 1280 by 1000 pixels shows of it becomes `docs/images/dashboard.png`, in 128 colours so that it stays small.
`tools/record_demo.py` calls it with the demo that it has just recorded. Nothing is drawn over and nothing is edited.
"""

import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "dashboard.png"
COLOURS = 128
SIZE = {"width": 1280, "height": 1000}


def main() -> int:
    """Draw the dashboard of the repository that was named."""
    draw(Path(sys.argv[1]))
    return 0


def draw(root: Path, picture: Path = PICTURE) -> None:
    """Draw the page of the campaign worked on last."""
    argv = (sys.executable, "-m", "autoresearch", "dashboard", "--port", "0")
    served = subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        address = next(line.strip() for line in served.stdout if line.startswith("http"))
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        with sync_playwright() as started:
            opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = opened.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]}, color_scheme="light")
            shown = _campaign(page, address)
            opened.close()
    finally:
        served.terminate()
        served.wait()
    drawn = (
        Image.open(io.BytesIO(shown))
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    drawn.save(picture, optimize=True)


def _campaign(page: Page, address: str) -> bytes:
    page.goto(address)
    page.locator("#campaigns a").first.click()
    page.locator("#plot svg").wait_for()
    return page.screenshot()


if __name__ == "__main__":
    sys.exit(main())
