"""What changed between two analyses: settings, populations, members, warnings, numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masklab.report import load, numbers
from masklab.report.compare import document, quantities
from masklab.report.compare.document import Former, Warned


@dataclass(frozen=True)
class Setting:
    """A setting that is another one now; `group` is part of the study, or the name of a population."""

    group: str
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Grown:
    """A population with another number of stored members."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Changes:
    """Everything that is not as it was.

    Attributes:
        before: The former analysis.
        after: The present one.
        settings: Those that differ.
        added: Names of populations that were not there.
        removed: Names of populations that are no more.
        grown: Populations with more or fewer members.
        accuracies: Members whose accuracy is another one.
        came: Warnings that were not there.
        went: Warnings that are no more.
        numbers: All numbers that both have, what moved most first.
        new: How many numbers there were not before.
        gone: How many there are no more.
    """

    before: Former
    after: Former
    settings: Sequence[Setting]
    added: Sequence[str]
    removed: Sequence[str]
    grown: Sequence[Grown]
    accuracies: Sequence[str]
    came: Sequence[Warned]
    went: Sequence[Warned]
    numbers: Sequence[quantities.Moved]
    new: int
    gone: int

    @property
    def renamed(self) -> bool:
        """Whether the studies have different names."""
        return self.before.study != self.after.study

    @property
    def nothing(self) -> bool:
        """Whether members and numbers are what they were, and everything that shaped them."""
        lists = (self.settings, self.added, self.removed, self.grown, self.accuracies, self.came, self.went)
        equal = all(own.verdict == quantities.EQUAL for own in self.numbers)
        members = {own.id for own in self.before.members} == {own.id for own in self.after.members}
        return equal and members and not any(lists) and self.new == self.gone == 0

    def count(self, verdict: str) -> int:
        """How many numbers have a verdict."""
        return sum(own.verdict == verdict for own in self.numbers)


def make(former: Former, analysis: load.Analysis) -> Changes:
    """Compare two analyses.

    Args:
        former: The earlier one.
        analysis: The later one.
    """
    after = document.make(analysis)
    was = {own.name: own for own in former.populations}
    own = {population.name: population for population in after.populations}
    both = [name for name in own if name in was]
    known, found = ({member.id: member.accuracy for member in one.members} for one in (former, after))
    warned, warns = (dict.fromkeys(one.warnings) for one in (former, after))
    return Changes(
        before=former,
        after=after,
        settings=[
            *(
                setting
                for group in after.settings | former.settings
                for setting in _group(group, former, after)
            ),
            *(
                setting
                for name in both
                for setting in _differing(name, was[name].settings, own[name].settings)
            ),
        ],
        added=[name for name in own if name not in was],
        removed=[name for name in was if name not in own],
        grown=[
            Grown(name, was[name].stored, own[name].stored)
            for name in both
            if was[name].stored != own[name].stored
        ],
        accuracies=[name for name, accuracy in found.items() if name in known and known[name] != accuracy],
        came=[warning for warning in warns if warning not in warned],
        went=[warning for warning in warned if warning not in warns],
        numbers=quantities.moved(former, after),
        new=quantities.only(after, former),
        gone=quantities.only(former, after),
    )


def _group(group: str, before: Former, after: Former) -> list[Setting]:
    return _differing(group, before.settings.get(group, {}), after.settings.get(group, {}))


def _differing(group: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Setting]:
    """Settings of one group that differ; a digest only where nothing else says what it is about."""
    found = [
        Setting(group, name.replace("_", " "), *_told(before.get(name), after.get(name)))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    named = [setting for setting in found if setting.name != "digest"]
    return named or found


def _told(before: Any, after: Any) -> tuple[str, str]:
    """Both values; of tables with names only what differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        before, after = ({name: own[name] for name in names if name in own} for own in (before, after))
    return numbers.plain(before), numbers.plain(after)
