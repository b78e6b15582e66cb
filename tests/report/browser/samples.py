"""Tables to try things on, and what a reader expects of them, worked out without a browser."""

import random
import re
from dataclasses import dataclass

from masklab.report import tables

POPULATIONS = ("biprop-d0.5", '"><img src=x onerror=alert(1)>$x$', "=cmd|' /C calc'!A0")
COLUMNS = (
    tables.Column("member", numeric=False),
    tables.Column("accuracy, %", note="after the last <epoch>"),
    tables.Column("spread"),
    tables.Column("layer", numeric=False),
)


@dataclass(frozen=True)
class Entry:
    """One row: its member, accuracy in percent or None, layer and population."""

    member: str
    accuracy: float | None
    layer: str
    population: str

    @property
    def searched(self) -> str:
        """All that is printed of the row."""
        return " ".join([cell.text + " " + cell.detail + " " + cell.count for cell in self.cells]).lower()

    @property
    def cells(self) -> list[tables.Cell]:
        detail = "of another tool" if self.member.endswith("3") else ""
        spread = (self.accuracy or 0.0) / 10.0
        number = (
            tables.Cell("–", None, "not recorded")
            if self.accuracy is None
            else tables.Cell(
                f"{self.accuracy:.2f}".replace("-", "−"),
                self.accuracy,
                f"[{self.accuracy - 1.0:.1f}, {self.accuracy + 1.0:.1f}]".replace("-", "−"),
                count="15 pairs",
            )
        )
        return [
            tables.Cell(self.member, self.member, detail, "#0173b2", populations=(self.population,)),
            number,
            tables.Cell(f"{spread:.1f} ± 0.43".replace("-", "−"), spread),
            tables.Cell("whole mask" if self.layer == "whole" else self.layer, self.layer),
        ]


def entries(number: int, seed: int = 0) -> list[Entry]:
    """Rows in no order, some without a number."""
    drawn = random.Random(seed)  # noqa: S311
    found = []
    for index in range(number):
        population = POPULATIONS[index % 3]
        accuracy = None if index % 7 == 5 else drawn.uniform(-20.0, 95.0)
        layer = "whole" if index % 13 == 0 else f"conv{index * 5 % 13}"
        found.append(Entry(f"{population}/{index:04d}", accuracy, layer, population))
    drawn.shuffle(found)
    return found


def table(rows: list[Entry], key: str = "s1-members") -> tables.Table:
    return tables.Table(key, "Some members.", COLUMNS, [row.cells for row in rows])


def by_accuracy(rows: list[Entry], direction: int) -> list[str]:
    """Members by accuracy; those without one last."""
    known = [row for row in rows if row.accuracy is not None]
    known.sort(key=lambda row: direction * (row.accuracy or 0.0))
    return [row.member for row in known] + [row.member for row in rows if row.accuracy is None]


def by_layer(rows: list[Entry]) -> list[str]:
    """Layers by name, numbers in them by size."""
    names = ["whole mask" if row.layer == "whole" else row.layer for row in rows]
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in _parts(name)])


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name) if part]
