"""How soon a large campaign is seen in a browser: `python benchmarks/dashboard.py [--experiments 10000] [--browser]`.

A campaign is grown as in `resume.py`, and its report written. Then `autoresearch dashboard` is started and its pages
are asked for, as a browser would: at once, while the journal is being read (the plot as its controller drew it last);
when it has been read; page by page; one experiment; after one more experiment with its verdict, and after one more
word of a person, both of which have the report made anew. Seconds are those of the wall clock, the least and the middle
of `--times`, with those of the processor of the answering process in brackets; on a busy machine only the latter mean
much. With `--browser`, and Playwright and a Chromium, also when
Chromium has first painted something (`first-contentful-paint`) and when it has laid out the whole page.
"""

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import resume

PAGE = f"/campaigns/{resume.CAMPAIGN}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, nargs="+", default=[1000, 10_000], help="sizes of campaigns")
    parser.add_argument("--times", type=int, default=5, help="how often each page is asked for (default: 5)")
    parser.add_argument("--browser", action="store_true", help="look with Chromium too")
    args = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    for size in args.experiments:
        with tempfile.TemporaryDirectory(prefix="dashboard-") as place:
            root = resume.grown(Path(place) / "repo", size, missing=0)
            words = (sys.executable, "-m", "autoresearch", "report")
            subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)
            print(f"| {size} experiments | seconds: least, middle (CPU) | MB |\n| --- | --- | --- |")
            _looked_at(root, size, args.times, browser=args.browser)
            print(flush=True)


class Served:
    """A dashboard of a repository, and the cookie of whoever opened it."""

    def __init__(self, root: Path) -> None:
        argv = (sys.executable, "-m", "autoresearch", "dashboard", "--port", "0")
        self.process = subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = next(line.strip() for line in self.process.stdout if line.startswith("http"))
        self.host = self.address.split("/")[2]
        self.cookie = ""
        self.cookie = self.ask(self.address.partition(self.host)[2])[1].getheader("set-cookie", "").partition(";")[0]

    def ask(self, path: str) -> tuple[bytes, http.client.HTTPResponse]:
        """One page."""
        connection = http.client.HTTPConnection(self.host, timeout=600)
        connection.request("GET", path, headers={"cookie": self.cookie} if self.cookie else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return body, answer

    def timed(self, path: str) -> tuple[float, float, bytes]:
        """Seconds until a page was there, those of the processor, and the page."""
        told = psutil.Process(self.process.pid)
        began, before = time.perf_counter(), sum(told.cpu_times()[:2])
        body, answer = self.ask(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        return time.perf_counter() - began, sum(told.cpu_times()[:2]) - before, body

    def end(self) -> None:
        """No more pages."""
        self.process.terminate()
        self.process.wait()


def _looked_at(root: Path, size: int, times: int, *, browser: bool) -> None:
    served = Served(root)
    try:
        first = [served.timed(PAGE), served.timed(f"{PAGE}/plot.svg")]
        _line("first picture, while the journal is read: page", [first[0]])
        _line("first picture, while the journal is read: its plot", [first[1]])
        began = time.perf_counter()
        while b"its journal is being read" in served.ask("/")[0] or b"being read" in served.ask(PAGE)[0]:
            time.sleep(0.1)
        print(f"| until the journal was read | {time.perf_counter() - began:.1f} more | |")
        pages = {
            "campaign": PAGE, "campaign, the earliest attempts": f"{PAGE}?turn=999999", "campaigns": "/",
            "one experiment": f"{PAGE}/experiments/{size // 2}", "two compared": f"{PAGE}/compare?numbers=2+{size}",
        }  # fmt: skip
        for name, path in pages.items():
            _line(name, [served.timed(path) for _ in range(times)])
        _line("campaign, after one more verdict", [_after(served, root, size + number) for number in range(times)])
        found = []
        for number in range(times):
            words = (sys.executable, "-m", "autoresearch", "pause", f"for the {number}th time")
            subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)
            found.append(served.timed(PAGE))
        _line("campaign, after one more event", found)
        if browser:
            _painted(served)
    finally:
        served.end()


def _after(served: Served, root: Path, newest: int) -> tuple[float, float, bytes]:
    """The page when what the journal says of the newest experiment was said of another one as well."""
    journal = root / resume.FOLDER / "journal.jsonl"
    with journal.open("rb") as source:
        source.seek(-100_000, os.SEEK_END)
        tail = source.read().decode("utf-8", "replace").splitlines(keepends=True)
    name, following = (f"idea-{number:05}" for number in (newest, newest + 1))
    first = next(place for place, line in enumerate(tail) if '_opened"' in line and f'"index":{newest},' in line)
    told = "".join(
        line.replace(name, following).replace(f'"index":{newest}', f'"index":{newest + 1}') for line in tail[first:]
    )
    with journal.open("a") as sink:
        sink.write(told)
    return served.timed(PAGE)


def _line(name: str, found: list[tuple[float, float, bytes]]) -> None:
    walls, cpus = [one[0] for one in found], [one[1] for one in found]
    middle = statistics.median(walls)
    size = max(len(one[2]) for one in found) / 1e6
    print(f"| {name} | {min(walls):.2f}, {middle:.2f} ({statistics.median(cpus):.2f}) | {size:.2f} |", flush=True)


def _painted(served: Served) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only when it is asked for

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1280, "height": 800})
        name, _, value = served.cookie.partition("=")
        page.context.add_cookies([{"name": name, "value": value, "url": f"http://{served.host}"}])
        for _ in range(3):
            page.goto(f"http://{served.host}{PAGE}", wait_until="load")
            paint, loaded = page.evaluate(
                "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                " performance.getEntriesByType('navigation')[0].loadEventEnd]"
            )
            print(f"| campaign in Chromium: first paint, whole page | {paint / 1000:.2f}, {loaded / 1000:.2f} | |")
        opened.close()


if __name__ == "__main__":
    main()
