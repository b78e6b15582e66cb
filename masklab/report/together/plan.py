"""What a figure over several populations is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from masklab.report import load
from masklab.report.together import lines, points
from masklab.report.together.measures import Measure


@dataclass(frozen=True)
class Plan:
    """One figure.

    Attributes:
        place: Of the figure among the others.
        title: Its heading.
        axis: What populations differ in.
        measures: What is drawn of them; the first decides which populations there are.
        explained: Whether the figure says why it is not there, where it cannot be drawn.
    """

    place: int
    title: str
    axis: lines.Axis
    measures: Sequence[Measure]
    explained: bool = False

    def panels(self, found: Sequence[points.Point]) -> tuple[list[lines.Panel], list[points.Point]]:
        """What is drawn, and the populations that are not."""
        return lines.panels(found, self.axis, self.measures[0].get)

    def applies(self, analyses: Sequence[load.Analysis]) -> bool:
        """Whether there is a figure, or a reason to say why there is none."""
        found = points.gather(analyses)
        return bool(self.panels(found)[0]) or (self.explained and lines.varies(found, self.axis))
