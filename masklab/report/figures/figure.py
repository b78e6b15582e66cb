"""What a figure is on the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from masklab.report import load

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Data:
    """The numbers that a figure draws, as they are downloaded: fractions, not percent, at full precision.

    Attributes:
        columns: Names of the columns, in the words of `results.json`.
        rows: One tuple of values per row.
        note: What is not in it, and where that lies; empty when all is.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawn figure, or the reason why there is none.

    Attributes:
        title: What is drawn, for the heading and the contents list.
        message: What it shows, in a sentence; also its label for screen readers.
        caption: Number of members or pairs, what is shown, interval, chance level.
        svg: The drawing, or None with `caption` saying why.
        data: What is drawn; None without a drawing.
    """

    title: str
    message: str
    caption: str
    svg: Markup | None
    data: Data | None = None


def uncounted(analysis: load.Analysis) -> str:
    """Why members may be fewer than are stored, for the reason of an absent figure."""
    if all(population.compared for population in analysis.results.populations):
        return ""
    return " (accuracy references do not count: they are compared with nothing)"


def without_pairs(analysis: load.Analysis, otherwise: str) -> str:
    """Why a figure that needs pairs of members is absent.

    Args:
        analysis: What is shown.
        otherwise: The reason where pairs were measured; a sentence without its full stop.
    """
    return f"{analysis.results.without_pairs or otherwise}{uncounted(analysis)}."


def absent(title: str, why: str) -> Figure:
    """A figure that cannot be drawn."""
    return Figure(title, "", why, None)
