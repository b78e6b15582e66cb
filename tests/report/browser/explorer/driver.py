"""An explorer in an open page, as a reader meets it, and what it holds inside."""

from collections.abc import Mapping
from typing import Any

from masklab.report import explorer

from ..visits import Visit

VIEWS = ("places", "distances", "curves")

_LISTEN = """() => {
  if (window.told) return;
  window.told = [];
  document.addEventListener("masklab:selected", ({ detail }) => told.push(detail));
}"""
_SETTLE = """async (section) => {
  const { views } = masklab.explorers.get(section);
  for (let at = 0; at < 2; at++) {
    await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    for (const view of Object.values(views)) await view.runAsync();
  }
}"""
_PLOT = """([section, name]) => {
  const one = masklab.explorers.get(section);
  const { left, top } = one.canvas(name).querySelector("canvas").getBoundingClientRect();
  const [[x, y], padding] = [one.views[name].origin(), one.views[name].padding()];
  return [left + x + padding.left, top + y + padding.top, one.views[name].scale("x").range()[1]];
}"""
_PIXEL = """([section, name, x, y]) => {
  const canvas = masklab.explorers.get(section).canvas(name).querySelector("canvas");
  const { left, top, width } = canvas.getBoundingClientRect();
  const at = (place) => Math.floor((place * canvas.width) / width);
  const one = new OffscreenCanvas(1, 1).getContext("2d");
  one.drawImage(canvas, at(x - left), at(y - top), 1, 1, 0, 0, 1, 1);
  return [...one.getImageData(0, 0, 1, 1).data];
}"""


class Explorer:
    """The explorer of one section."""

    def __init__(self, visit: Visit, made: Mapping[str, explorer.Explorer], section: str = "s1") -> None:
        self.visit, self.made, self.section = visit, made, section
        self.tab, self.document = visit.tab, made[section].document
        self.box = self.tab.locator(f".explorer[data-section={section}]")
        self.tab.evaluate(_LISTEN)

    def open(self) -> "Explorer":
        """Scroll to it and wait until all of it is drawn."""
        self.box.scroll_into_view_if_needed()
        self.box.locator(".explorer-body").wait_for(state="visible")
        self.box.locator(".explorer-state").wait_for(state="hidden")
        self.settle()
        return self

    def settle(self) -> None:
        """Wait until frames that were asked for are drawn, and Vega has nothing left to do."""
        self.tab.evaluate(_SETTLE, self.section)

    def inside(self, expression: str) -> Any:
        """Value of an expression in which `one` is the explorer's object."""
        script = f"(section) => {{ const one = masklab.explorers.get(section); return {expression}; }}"
        return self.tab.evaluate(script, self.section)

    @property
    def picked(self) -> list[int]:
        """Places of the selected members."""
        return self.inside("[...(one.picked ?? [])]")

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the page was told of selections."""
        return self.tab.evaluate("() => told")

    @property
    def text(self) -> str:
        """What is said of the selection."""
        return self.box.locator(".explorer-selected").inner_text()

    def shade(self, view: str) -> list[float]:
        """How strongly everything in a view is seen, as Vega has it."""
        return self.inside(f"one.views.{view}.signal('shade')")

    def ids(self, places: list[int]) -> list[str]:
        return [self.document["members"]["id"][i] for i in places]

    def plot(self, view: str) -> tuple[float, float, float]:
        """Left and upper edge of a plot in the window, and its width."""
        self.box.locator(f"[data-view={view}] canvas").scroll_into_view_if_needed()
        left, top, width = self.tab.evaluate(_PLOT, [self.section, view])
        return left, top, width

    def scaled(self, view: str, x: float, y: float) -> tuple[float, float]:
        """Where in the window a place in a view's own numbers is."""
        left, top, _ = self.plot(view)
        at = {axis: self.inside(f"one.views.{view}.scale('{axis}')({v})") for axis, v in (("x", x), ("y", y))}
        return left + at["x"], top + at["y"]

    def point(self, i: int) -> tuple[float, float]:
        """Where a member's point is in the window."""
        (row,) = [row for row in self.inside("one.tables.places.places") if row["i"] == i]
        return self.scaled("places", row["x"], row["y"])

    def cell(self, row: int, column: int) -> tuple[float, float]:
        """Where a cell of the heat map is in the window."""
        left, top, width = self.plot("distances")
        step = width / self.inside("one.tables.distances.rows.length")
        return left + (column + 0.5) * step, top + (row + 0.5) * step

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag a rectangle; corners are fractions of the plot of places, from its upper left."""
        left, top, width = self.plot("places")
        self.tab.mouse.move(left + start[0] * width, top + start[1] * width)
        self.tab.mouse.down()
        self.tab.mouse.move(left + end[0] * width, top + end[1] * width, steps=5)
        self.tab.mouse.up()
        self.settle()

    def click(self, i: int, *, shift: bool = False) -> None:
        """Click on a member's point."""
        if shift:
            self.tab.keyboard.down("Shift")
        self.tab.mouse.click(*self.point(i))
        if shift:
            self.tab.keyboard.up("Shift")
        self.settle()

    def press(self, name: str) -> None:
        """Press a button."""
        self.box.get_by_role("button", name=name, exact=True).click()
        self.settle()

    def key(self, name: str) -> None:
        """Press a key."""
        self.tab.keyboard.press(name)
        self.settle()

    def change(self, **settings: Any) -> None:
        """Change settings of the page."""
        self.tab.evaluate("(settings) => masklab.change(settings)", settings)
        self.settle()

    def hover(self, x: float, y: float) -> dict[str, str]:
        """What the tip says at a place in the window, empty without one."""
        self.tab.mouse.move(x, y)
        self.settle()
        tip = self.box.locator(".explorer-tip")
        if not tip.is_visible():
            return {}
        labels, texts = (tip.locator(part).all_inner_texts() for part in ("dt", "dd"))
        return dict(zip(labels, texts, strict=True))

    def pixel(self, view: str, x: float, y: float) -> tuple[int, ...]:
        """Red, green, blue and opacity of a canvas at a place in the window."""
        return tuple(self.tab.evaluate(_PIXEL, [self.section, view, x, y]))

    def picture(self, view: str) -> str:
        """All pixels of a canvas."""
        return self.inside(f"one.canvas('{view}').querySelector('canvas').toDataURL()")
