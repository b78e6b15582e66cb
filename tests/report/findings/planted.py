"""Analyses of which it is known what may and what may not be said."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masklab.report import findings, load
from masklab.report.findings import Finding
from tests.report import builder, measured
from tests.report.predicted import value

Row = dict[str, Any]
KEY = "s1"
A, B, C = "edge-popup-d0.5", "biprop-d0.5", "biprop+recycle-d0.5"
RANDOM = "random-d0.5"
SMALLEST = 0.0001


@dataclass(frozen=True)
class Study:
    """A study whose results can be changed before it is asked something."""

    folder: Path
    made: Row

    def plant(self, *rows: Row) -> None:
        """Put tests in the place of those of the same populations."""
        keys = {(row["test"], row["a"], row["b"]) for row in rows}
        kept = [row for row in self.made["tests"] if (row["test"], row["a"], row["b"]) not in keys]
        self.made["tests"] = [*kept, *rows]

    def put(self, key: str, match: Mapping[str, Any], **fields: Any) -> None:
        """Change rows of a list; at least one must match."""
        found = [row for row in self.made[key] if all(row[name] == own for name, own in match.items())]
        assert found, (key, match)
        for row in found:
            row.update(fields)

    def analysis(self) -> load.Analysis:
        """The results as they are now."""
        builder.rewrite(self.folder, self.made)
        return load.read(self.folder)

    def subject(self) -> findings.Subject:
        """Who can be asked."""
        return findings.Subject(self.analysis(), KEY)

    def asked(self, *questions: findings.Ask) -> Sequence[Finding]:
        """Answers to some questions."""
        subject = self.subject()
        return [finding for ask in questions for finding in ask(subject)]

    def answer(self, question: findings.Ask) -> Finding:
        """The only answer to a question."""
        (found,) = self.asked(question)
        return found

    def all(self) -> Sequence[Finding]:
        """Answers to all questions, however many."""
        return self.asked(*findings.QUESTIONS)


def results(folder: Path, *, populations: int = 3, draws: int = 3, **options: Any) -> Row:
    """A study whose pruners differ in nothing that is tested; a random control is the seventh population."""
    made = builder.build(folder, populations=populations, draws=draws, **options)
    names = [row["name"] for row in made["populations"]]
    made["tests"] = [
        *(alone("stability-against-chance", name, 0.0, 0.5) for name in names),
        *(alone("mantel", name, 0.0, 0.5) for name in names),
        *(
            pair(test, a, b, chance, 0.5, chance=chance)
            for test, chance in (("accuracy", 0.0), ("permanova", 0.1), ("permdisp", 0.0))
            for a, b in itertools.combinations(names, 2)
        ),
    ]
    return made


def pair(
    test: str,
    a: str,
    b: str,
    effect: float | None,
    p: float | None,
    *,
    half: float = 0.02,
    chance: float = 0.0,
) -> Row:
    """A test of two populations, its adjusted p as given."""
    row = measured.tested(test, a, b, effect=effect, chance=chance, p=p)
    return row | {"estimate": value(effect, half, n=12), "adjusted_p": p, "smallest_p": SMALLEST}


def alone(test: str, a: str, effect: float | None, p: float | None, *, half: float = 0.02) -> Row:
    """A test of one population."""
    row = measured.tested(test, a, None, effect=effect, p=p)
    return row | {"estimate": value(effect, half, n=12), "adjusted_p": p, "smallest_p": SMALLEST}
