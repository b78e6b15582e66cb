"""Open pages in a browser, and everything they did on their own."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab

_INSIDE = ("blob:", "data:")
_USE = """async () => {
  const rest = () => new Promise((go) => setTimeout(go, 10));
  const seen = (own) => own.isConnected && !own.disabled && own.checkVisibility({ visibilityProperty: true });
  for (const kind of ["button", "input[type=checkbox], input[type=radio]"]) {
    for (const own of document.querySelectorAll(kind)) {
      if (!seen(own) || own.dataset.kind === "png" || own.dataset.save === "png") continue;
      own.click();
      await rest();
    }
  }
  for (const own of document.querySelectorAll("input[type=search], input[type=text]")) {
    if (!seen(own)) continue;
    own.value = "0.5";
    for (const event of ["input", "change"]) own.dispatchEvent(new Event(event, { bubbles: true }));
    await rest();
  }
}"""


class Visit:
    """An open page; what it asked for and complained about is checked when the test ends."""

    def __init__(self, tab: "Tab", path: Path) -> None:
        self.tab = tab
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.path = path
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", self._dialog)
        tab.goto(path.as_uri())

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()

    @property
    def outside(self) -> list[str]:
        """Addresses that were asked for, without what the page holds itself."""
        return [url for url in self.requests if not url.startswith(_INSIDE)]

    def table(self, key: str) -> "Table":
        return Table(self.tab, key)

    def select(self, section: str, ids: list[str]) -> None:
        """What the explorer says when something is selected in it."""
        event = "new CustomEvent('masklab:selected', { detail: { section, ids } })"
        self.tab.evaluate(f"([section, ids]) => document.dispatchEvent({event})", [section, ids])

    def settle(self) -> None:
        """Wait until frames that were asked for are drawn."""
        self.tab.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def use_everything(self) -> None:
        """Open what is folded, press every button, tick every box and fill every field of the page."""
        self.open_everything()
        self.explore()
        self.tab.evaluate(_USE)
        self.settle()

    def explore(self) -> None:
        """Go to the explorer, and wait until it is drawn."""
        for explorer in self.tab.locator(".explorer").all():
            explorer.scroll_into_view_if_needed()
            self.tab.wait_for_function(
                "(own) => own.querySelector('.explorer-state').hidden", arg=explorer.element_handle()
            )

    def open_everything(self) -> None:
        self.tab.evaluate(
            "() => document.querySelectorAll('details').forEach((part) => { part.open = true; })"
        )


class Table:
    """One table of a page, as a reader meets it."""

    def __init__(self, tab: "Tab", key: str) -> None:
        self.tab = tab
        self.key = key
        self.box: Locator = tab.locator(f"#{key}")
        self.search: Locator = self.box.get_by_role("searchbox")

    def button(self, name: str) -> "Locator":
        return self.box.get_by_role("button", name=name, exact=True)

    def header(self, column: int) -> "Locator":
        return self.box.locator("thead tr:first-child > *").nth(column)

    def sort(self, column: int) -> str | None:
        """Press a heading; what it says of itself then."""
        before = self.header(column).get_attribute("aria-sort")
        self.header(column).get_by_role("button").click()
        self.tab.wait_for_function(
            "([head, before]) => head.getAttribute('aria-sort') !== before",
            arg=[self.header(column).element_handle(), before],
        )
        return self.header(column).get_attribute("aria-sort")

    def find(self, text: str) -> None:
        """Search, and wait until the rows are chosen."""
        self.search.fill(text)
        self.tab.wait_for_function(
            "(line) => !line.textContent.startsWith('First')", arg=self.box.locator(".shown").element_handle()
        )

    def filter(self, column: int) -> "Locator":
        return self.box.locator(".filters input").nth(column)

    def column(self, column: int) -> list[str]:
        """Texts of the rows that are laid out, from the top."""
        rows = "tbody tr:not(.spacer):not(.sizer):not(.nothing)"
        return self.box.locator(f"{rows} > :nth-child({column + 1}) .text").all_inner_texts()

    def counted(self) -> tuple[int, int]:
        """Rows that there are, headings included, and the place of the first that is laid out below them."""
        first = self.box.locator("tbody tr:not(.spacer):not(.sizer)").first
        count = self.box.locator("table").get_attribute("aria-rowcount")
        return int(count or 0), int(first.get_attribute("aria-rowindex") or 0)

    def line(self) -> str:
        return self.box.locator(".shown").inner_text()

    def csv(self) -> tuple[str, list[list[str]]]:
        """Name and rows of the file that is downloaded."""
        with self.tab.expect_download() as download:
            self.button("Download CSV").click()
        text = download.value.path().read_text(encoding="utf-8-sig")
        return download.value.suggested_filename, list(csv.reader(io.StringIO(text, newline="")))

    def copied(self) -> list[list[str]]:
        """Rows that are on the clipboard; the context must allow to read it."""
        self.tab.evaluate("() => navigator.clipboard.writeText('nothing')")
        self.button("Copy").click()
        self.tab.wait_for_function("() => document.getElementById('status').textContent.endsWith(' copied')")
        text = self.tab.evaluate("() => navigator.clipboard.readText()")
        return [line.split("\t") for line in text.split("\n")]
