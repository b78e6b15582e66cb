"""Tests of two populations: which of them sentences speak of, and which say that there is a difference."""

from collections.abc import Sequence

from masklab.report import load, numbers, records
from masklab.report.findings import evidence, subject
from masklab.report.landscape import sentences

LEVEL = evidence.ALPHA
"""Adjusted p values up to this one can be called differences."""

RULE = f"adjusted p ≤ {LEVEL:g} and chance outside the interval"
"""When a difference is stated."""

Tests = Sequence[records.Test]


def of(analysis: load.Analysis, kind: str) -> list[records.Test]:
    """Rows of one kind of test on two populations each."""
    return [row for row in analysis.results.tests if row.test == kind and row.b is not None]


def spoken(analysis: load.Analysis, found: Tests) -> tuple[list[records.Test], str]:
    """Rows with a p of pairs that carry most, and what the populations are called.

    Those are trained ones, if any, and two pruners at one density, if any, as in the findings.
    """
    found = [row for row in found if row.p is not None]
    own = sentences.chosen(analysis, [name for row in found for name in (row.a, row.b) if name is not None])
    chosen = [row for row in found if {row.a, row.b} <= set(own.names)]
    if not chosen:
        return found, "populations, trained or not"
    asked = subject.Subject(analysis, "")
    rivals = [row for row in chosen if asked.rivals(row.a or "", row.b or "")]
    if rivals and len(rivals) < len(chosen):
        return rivals, f"{own.called} of two pruners at one density"
    return chosen, own.called


def differs(row: records.Test) -> bool:
    """Whether a difference can be stated: corrected p and interval both say so, as in the findings."""
    own, chance = row.estimate, row.chance or 0.0
    if own.low is None or own.high is None or row.adjusted_p is None:
        return False
    beside = own.low > chance or (row.test != "permanova" and own.high < chance)  # less than chance is none
    return beside and evidence.small(row.adjusted_p)


def judged(found: Tests) -> str:
    """How many of some tests say that there is a difference, as the beginning of a sentence."""
    return f"{sum(map(differs, found))} of {numbers.count(len(found), 'pair')}"


def upright(row: records.Test) -> tuple[str, str, records.Estimate]:
    """The population with more, the one with less, and how much more: what a − b says without a sign."""
    own, a, b = row.estimate, row.a or "", row.b or ""
    if (own.value or 0.0) >= 0.0:
        return a, b, own
    ends = {"value": own.value, "low": own.high, "high": own.low}
    turned = {name: None if end is None else -end for name, end in ends.items()}
    return b, a, own.model_copy(update=turned)


def reasons(found: Tests) -> list[str]:
    """Why effects are undefined, each reason once."""
    return list(dict.fromkeys(why for row in found if (why := row.why or row.estimate.why)))


def smallest(found: Tests) -> str:
    """The smallest p that relabelings allow in some tests, in a sentence; empty where none has one."""
    levels = [row.smallest_p for row in found if row.smallest_p is not None]
    if not levels:
        return ""
    least = min(levels)
    powerless = ", so no pair could be told apart" if least > LEVEL else ""
    return f"The smallest p that the relabelings allow is {numbers.probability(least)}{powerless}."
