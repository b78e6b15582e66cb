"""The report: how long a page takes to write, how large it is, and when a reader can use it in Chromium."""

import importlib.util
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clock
from masklab import parallel, report
from masklab.report import chapters, drawing, load, style
from tests.report import large

PAGES = {84: (7, 12, 3), 100: (5, 20, 4), 1000: (10, 100, 5)}
"""Members of a page → populations, members of each, draws of base weights."""

_MEGABYTES = {84: 3, 100: 5, 1000: 10}
_SECONDS = {84: "≤ 10 s", 100: "–", 1000: "–"}
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
)

_AFTER_NEXT_FRAME = "(go) => requestAnimationFrame(() => setTimeout(() => go(performance.now())))"
_WAIT = f"""const shown = {_AFTER_NEXT_FRAME};
  const wait = (go) => (ready() ? shown(go) : requestAnimationFrame(() => wait(go)));
  return new Promise(wait);"""
_SORTED = f"""() => {{
  const table = document.querySelector("#s1-members table");
  table.querySelectorAll("thead button")[2].click();
  const ready = () => table.querySelector("[aria-sort=ascending]");
  {_WAIT}
}}"""
_DRAWN = f"""() => {{
  const explorer = document.querySelector(".explorer");
  explorer.scrollIntoView();
  const ready = () => explorer.querySelector(".explorer-state").hidden;
  {_WAIT}
}}"""
_SHOWN = f"() => new Promise({_AFTER_NEXT_FRAME})"


def pages(rounds: int) -> list[clock.Row]:
    """Lines on pages of 84, 100 and 1,000 synthetic members, all figures and the explorer included."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for members, sizes in PAGES.items():
            study = Path(folder) / str(members)
            large.build(study, *sizes)
            path = study / "report.html"
            rows += [_written(study, path, members, rounds), _size(path, members)]
            rows += _read(path, members, rounds)
    return rows


def _written(study: Path, path: Path, members: int, rounds: int) -> clock.Row:
    """Seconds of the whole page, beside the drawing of its figures alone, one after the other."""

    def figures() -> None:
        analysis = load.read(study)
        drawing.draw(analysis, style.theme([analysis]), "s1", chapters.figures(analysis))

    taken = clock.in_turns(
        {"page": lambda: report.write([study], path), "figures": figures}, rounds, warm_up=1
    )
    ratio = clock.ratio(taken["page"], taken["figures"])
    return clock.Row(
        f"page of {members:,} members: written",
        _SECONDS[members],
        f"{np.median(taken['page']):.1f} s; ÷ its figures drawn one after the other: {ratio}",
        f"1 ÷ {parallel.cores()} cores; {np.median(taken['figures']):.1f} s for the figures on one",
    )


def _size(path: Path, members: int) -> clock.Row:
    html = path.read_text(encoding="utf-8")
    drawn = sum(len(own) for own in re.findall(r"<svg class=\"figure\".*?</svg>", html, re.DOTALL))
    carried = sum(
        len(own)
        for own in re.findall(r"<script type=\"application/gzip\"[^>]*>(.*?)</script>", html, re.DOTALL)
    )
    return clock.Row(
        f"page of {members:,} members: size",
        f"≤ {_MEGABYTES[members]} MB",
        f"{path.stat().st_size / 1e6:.2f} MB",
        f"figures {drawn / 1e6:.2f} MB, compressed rows and explorer {carried / 1e6:.2f} MB",
    )


def _read(path: Path, members: int, rounds: int) -> list[clock.Row]:
    """Seconds from the start of the navigation, beside the same page without a script."""
    label = f"page of {members:,} members in Chromium:"
    chromium = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if chromium is None or importlib.util.find_spec("playwright") is None:
        missing = "not measured: no Chromium, or no Playwright to drive it"
        return [clock.Row(f"{label} interactive", "≤ 2 s", missing, "–")]
    plain = path.with_name("plain.html")
    html = path.read_text(encoding="utf-8")
    plain.write_text(re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL), encoding="utf-8")
    empty = path.with_name("empty.html")
    empty.write_text("<!doctype html><title>empty</title>", encoding="utf-8")
    times: dict[str, list[float]] = {name: [] for name in ("sorted", "drawn", "plain", "empty")}
    with _browser(chromium) as browser:
        for _ in range(rounds + 1):
            found = {"sorted": _moment(browser, path, _SORTED), "drawn": _moment(browser, path, _DRAWN)}
            found |= {"plain": _moment(browser, plain, _SHOWN), "empty": _moment(browser, empty, _SHOWN)}
            for name, moment in found.items():
                times[name].append(moment)
    measured = {name: np.array(own[1:]) for name, own in times.items()}
    seconds = {name: f"{np.median(own):.2f} s" for name, own in measured.items()}
    least = f"{seconds['plain']} without scripts, {seconds['empty']} an empty page"
    return [
        clock.Row(
            f"{label} {what}",
            "≤ 2 s" if name == "sorted" else "–",
            f"{seconds[name]}; ÷ the same page without scripts: "
            f"{clock.ratio(measured[name], measured['plain'])}",
            least,
        )
        for name, what in (("sorted", "members sorted by a click"), ("drawn", "explorer drawn"))
    ]


@contextmanager
def _browser(chromium: str) -> Iterator[Any]:
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        yield running
        running.close()


def _moment(browser: Any, path: Path, script: str) -> float:
    """Seconds after the start of the navigation at which a script on the loaded page says that it is done."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(path.as_uri(), wait_until="domcontentloaded")
    milliseconds = tab.evaluate(script)
    context.close()
    return float(milliseconds) / 1e3
