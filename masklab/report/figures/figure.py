"""What a figure is on the page."""

from dataclasses import dataclass

from markupsafe import Markup

from masklab.report import load


@dataclass(frozen=True)
class Figure:
    """A drawn figure, or the reason why there is none.

    Attributes:
        title: What is drawn, for the heading and the contents list.
        message: What it shows, in a sentence; also its label for screen readers.
        caption: Number of members or pairs, what is shown, interval, chance level.
        svg: The drawing, or None with `caption` saying why.
    """

    title: str
    message: str
    caption: str
    svg: Markup | None


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
