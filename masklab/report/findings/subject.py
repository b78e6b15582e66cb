"""Whom findings are about, and the form that a finding has."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from masklab.report import load, models

ENOUGH_DRAWS = 3
"""Draws of base weights from which a sentence speaks of more than these draws."""

_LEARNED = 0.1  # share of the way from guessing to 100 %, as for the warning `at-guessing`


@dataclass(frozen=True)
class Finding:
    """What the numbers say to one question.

    Attributes:
        text: In a sentence or two, with everything that makes it believable.
        anchor: Id of the chapter or figure that it rests on.
        carried: Whether the numbers answer the question; else the text says that they do not.
    """

    text: str
    anchor: str
    carried: bool


@dataclass(frozen=True)
class Subject:
    """A study that is asked something.

    Attributes:
        analysis: Its numbers.
        key: Prefix of its anchors.
    """

    analysis: load.Analysis
    key: str

    @cached_property
    def pruners(self) -> list[str]:
        """Populations that findings speak of: pruners that learned, in the study's order."""
        return [own.name for own in self.trained if not self._guesses(own)]

    @cached_property
    def trained(self) -> list[models.Population]:
        """Populations of pruners: no controls, no accuracy references, nothing imported."""
        return [
            own
            for own in self.analysis.results.populations
            if own.trained and own.compared and own.control is None and own.imported is None
        ]

    @cached_property
    def noun(self) -> str:
        """What populations are called: pruners, unless one of these has several populations."""
        return "pruner" if len({own.pruner for own in self.trained}) == len(self.trained) else "population"

    def rivals(self, a: str, b: str) -> bool:
        """Whether two populations are of two pruners at one density; controls have none."""
        known = {own.name: own for own in self.trained}
        first, second = known.get(a), known.get(b)
        if first is None or second is None:
            return False
        return first.density == second.density and first.pruner != second.pruner

    @cached_property
    def guessing(self) -> list[str]:
        """Trained populations near guessing level."""
        return [own.name for own in self.trained if own.name not in self.pruners]

    @property
    def guess(self) -> float | None:
        """Accuracy of guessing; None where the classes are not known."""
        classes = len(self.analysis.study.data.classes)
        return 1.0 / classes if classes else None

    def _guesses(self, population: models.Population) -> bool:
        """Whether a population learned next to nothing, so that its masks say little about its pruner."""
        row = self.analysis.accuracy(population.name)
        if row is None or row.estimate.value is None or self.guess is None:
            return False
        return row.estimate.value < self.guess + _LEARNED * (1.0 - self.guess)

    @cached_property
    def draws(self) -> int:
        """Draws of base weights that the members of the pruners lie over."""
        own = {population.name for population in self.trained}
        return len({member.block for member in self.analysis.results.members if member.population in own})

    def answer(self, sentences: str | Iterable[str], anchor: str, *, carried: bool = True) -> Finding:
        """A finding; over few draws of base weights it says that it holds for these alone.

        Args:
            sentences: What it says.
            anchor: Name of the chapter or figure, without the prefix.
            carried: Whether the numbers answer the question.
        """
        said = [sentences] if isinstance(sentences, str) else [one for one in sentences if one]
        if 0 < self.draws < ENOUGH_DRAWS:
            drawn = "this one draw" if self.draws == 1 else f"these {self.draws} draws"
            said.append(f"Only on {drawn} of base weights.")
        return Finding(" ".join(said), f"{self.key}-{anchor}", carried)
