"""The dashboard in a real Chromium: what a person clicks, three widths in both themes, and what axe says of them."""

import shutil
import subprocess
import sys

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("no Chromium here; on Debian: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="get Playwright with: pip install -e '.[browser]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="get axe with: pip install -e '.[browser]'")

pytestmark = [pytest.mark.full, pytest.mark.browser]
NIGHT = "/campaigns/night"
PAGES = ("/", NIGHT, f"{NIGHT}/experiments/2", f"{NIGHT}/compare?numbers=1+2", f"{NIGHT}/compare?numbers=1")
PATIENCE_MS = 300_000.0


@pytest.fixture
def address(finished):
    """Where a dashboard that acts on a finished campaign answers, its token in it."""
    argv = [sys.executable, "-m", "autoresearch", "dashboard", "--act", "--port", "0"]
    served = subprocess.Popen(argv, cwd=finished.root, stdout=subprocess.PIPE, text=True)
    try:
        yield next(line.strip() for line in served.stdout if line.startswith("http"))
    finally:
        served.terminate()
        served.communicate(timeout=200)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE_MS)
        yield opened
        opened.close()


def visit(browser, address, **how: object):
    """A page that has come in, what its console says from then on, and the address without the token."""
    page = browser.new_context(**how).new_page()
    page.set_default_timeout(PATIENCE_MS)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.get_by_role("heading", name="Campaigns").wait_for()
    return page, said, address.partition("/?")[0]


def test_a_person_finds_an_experiment_steers_and_overrules(browser, address, finished):
    """From the address of the terminal, by links and forms alone; each word stands in the journal."""
    page, said, _ = visit(browser, address)
    page.get_by_role("link", name="night").click()
    page.get_by_label("what the next proposals should take into account").fill("smaller <steps>")
    page.get_by_role("button", name="steer").click()
    page.get_by_text("no brief follows until it is granted more: autoresearch extend: smaller <steps>").wait_for()
    page.get_by_role("link", name="back").click()
    page.get_by_role("link", name="2", exact=True).click()
    page.get_by_label("the verdict that you give").select_option("crash")
    page.get_by_label("why").fill("the log shows it")
    page.get_by_role("button", name="overrule").click()
    page.get_by_text("recorded: experiment 2 is crash by your word").wait_for()
    assert finished.journal("steered")[-1]["text"] == "smaller <steps>"
    assert finished.journal("verdict_overruled")[-1]["verdict"]["reason"] == "the log shows it"
    assert said == []


def test_what_is_said_at_a_terminal_comes_onto_the_open_page(browser, address, finished):
    """By itself, without reloading."""
    page, said, start = visit(browser, address)
    page.goto(f"{start}{NIGHT}")
    finished.cli("steer", "said elsewhere")
    page.locator("#steering", has_text="said elsewhere").wait_for()
    assert said == []


def test_the_pages_say_the_same_without_javascript(browser, address):
    """The plot, the curves and the lineage are drawn by the server."""
    page, _, start = visit(browser, address, java_script_enabled=False)
    page.goto(f"{start}{NIGHT}")
    assert page.locator("svg").count() >= 2
    assert page.get_by_role("link", name="2", exact=True).is_visible()


def test_the_table_is_sorted_by_the_column_whose_heading_is_pressed(browser, address, finished):
    """With keys, both ways, and in the report's own file without a network too."""
    page, said, start = visit(browser, address)
    for place in (f"{start}{NIGHT}", (finished.folder / "report.html").as_uri()):
        page.goto(place)
        heading = page.get_by_role("button", name="value", exact=True)
        heading.focus()
        for way in ("ascending", "descending"):
            page.keyboard.press("Enter")
            page.locator(f"th[aria-sort={way}]", has_text="value").wait_for()
            cells = page.locator("tr[id] > td:nth-child(3)").all_inner_texts()
            values = [float(text) for text in cells if text]
            assert values == sorted(values, reverse=way == "descending")
    assert said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_every_page_fits_and_axe_finds_no_fault(browser, address, width, theme, tmp_path):
    """No page is wider than the screen, no script or style is refused, and no rule of accessibility is broken."""
    page, said, start = visit(browser, address, viewport={"width": width, "height": 900}, color_scheme=theme)
    faults = []
    for place, path in enumerate(PAGES):
        page.goto(f"{start}{path}")
        page.screenshot(path=tmp_path / f"{place}-{width}-{theme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found = axe.Axe().run(page).response["violations"]
        faults += [f"{path}: {one['id']}: {one['nodes'][0]['html']}" for one in found]
        faults += [f"{path}: {wide} pixels too wide"] if wide > 0 else []
    assert faults == []
    assert [text for text in said if "400" not in text] == []
