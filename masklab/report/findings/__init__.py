"""What the numbers of a study carry, in sentences: one file per question, each with `ask(subject)`.

A difference is stated only where its interval excludes the chance level and its adjusted p is at most 0.05
(`evidence`); a question that the numbers do not answer is said to be open. Controls, accuracy references,
imported populations and populations near guessing level are not spoken of as pruners (`subject`).
"""

from collections.abc import Callable

from masklab.report import load
from masklab.report.findings import (
    accuracy,
    barriers,
    consensus,
    diversity,
    embeddings,
    ensembles,
    layers,
    link,
    location,
    movement,
    overlap,
    refreshes,
    seeds,
    spread,
    transfer,
)
from masklab.report.findings.subject import Finding, Subject

Ask = Callable[[Subject], list[Finding]]

METHOD = (
    "Findings: a difference is stated only where its interval excludes the chance level and p is at most "
    "0.05, adjusted (Benjamini and Hochberg) over all comparisons of its question; else the question is said "
    "to be open. Where the analysis makes no test, p is what the interval stands for: t with as many degrees "
    "of freedom, for differences of two overlaps with the sum of their standard errors, which is "
    "conservative. "
    "Controls, accuracy references, imported populations and populations near guessing level are not counted "
    "as pruners."
)
"""How it is decided what is said, for the methods of a page."""

QUESTIONS: tuple[Ask, ...] = (
    accuracy.ask,
    refreshes.ask,
    overlap.ask,
    seeds.ask,
    location.ask,
    spread.ask,
    barriers.ask,
    consensus.ask,
    ensembles.ask,
    link.ask,
    transfer.ask,
    movement.ask,
    layers.ask,
    diversity.ask,
    embeddings.ask,
)
"""Questions, the most important first."""


def find(analysis: load.Analysis, key: str) -> list[Finding]:
    """What was found, the most important first, then what is open; nothing where nothing was measured.

    Args:
        analysis: What was measured.
        key: Prefix of the study's anchors.
    """
    subject = Subject(analysis, key)
    found = [finding for ask in QUESTIONS for finding in ask(subject)]
    return sorted(found, key=lambda finding: not finding.carried)


__all__ = ["METHOD", "QUESTIONS", "Ask", "Finding", "Subject", "find"]
