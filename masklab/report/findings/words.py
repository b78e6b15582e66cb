"""How effects are printed in findings: the digits of the tables, and everything that a claim needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from masklab.report import numbers, records, text
from masklab.report.findings.evidence import ALPHA, Effect
from masklab.report.findings.subject import Subject

_LISTED = 4  # things in a list within a sentence
_NAMED = 2  # populations that are named rather than counted alone


@dataclass(frozen=True)
class Unit:
    """How numbers of one kind are printed.

    Attributes:
        name: Written after a number, with its space: `" points"`.
        scale: Factor on everything: 100 for percent and points.
        digits: Decimals where an interval does not say how many it carries.
        fixed: Whether these decimals are used in any case.
    """

    name: str = ""
    scale: float = 1.0
    digits: int = 3
    fixed: bool = False

    def decimals(self, found: records.Estimate) -> int:
        """Decimals that an estimate is printed with, the same as in the tables."""
        return self.digits if self.fixed else numbers.decimals(found, self.scale, self.digits)

    def value(self, found: records.Estimate) -> str:
        """An estimate alone."""
        return numbers.fixed(self.scale * (found.value or 0.0), self.decimals(found)) + self.name

    def interval(self, found: records.Estimate) -> str:
        """An estimate with its interval."""
        return f"{self.value(found)} {numbers.interval(found, self.scale, self.decimals(found))}".rstrip()

    def levels(self, values: Iterable[float], like: Iterable[records.Estimate]) -> str:
        """What estimates are compared with, in no more decimals than any of them has."""
        digits = min(self.decimals(own) for own in like)
        ends = [numbers.fixed(self.scale * value, digits) for value in sorted(values)]
        return " to ".join(dict.fromkeys([ends[0], ends[-1]])) + self.name

    def extent(self, found: Iterable[records.Estimate]) -> str:
        """From the smallest to the largest of some estimates, and from the lowest end to the highest."""
        known = [own for own in found if own.value is not None]
        digits = min(self.decimals(own) for own in known)

        def printed(values: Iterable[float | None]) -> list[str]:
            known = [value for value in values if value is not None]
            ends = [min(known), max(known)] if known else []
            return [numbers.fixed(self.scale * end, digits) for end in ends]

        said = " to ".join(dict.fromkeys(printed(own.value for own in known))) + self.name
        lows, highs = printed(own.low for own in known), printed(own.high for own in known)
        return f"{said} [{lows[0]}, {highs[1]}]" if lows and highs else said


def points(images: int) -> Unit:
    """Differences of accuracies."""
    return Unit(" points", 100.0, numbers.places(images), fixed=True)


def percent(images: int) -> Unit:
    """Accuracies."""
    return Unit(" %", 100.0, numbers.places(images), fixed=True)


def members(found: Iterable[records.Estimate], noun: str = "member") -> str:
    """What estimates rest on.

    Examples:
        >>> own = dict(value=0.5, low=None, high=None, level=0.95, method="t")
        >>> members([records.Estimate(n=3, **own), records.Estimate(n=12, **own)])
        'n = 3–12 members'
    """
    return f"n = {text.counted([own.n for own in found], noun)}"


def probability(p: float | None) -> str:
    """A p value as it stands in a sentence.

    Examples:
        >>> probability(0.0123), probability(1e-9)
        ('p = 0.012', 'p < 0.0001')
    """
    said = numbers.probability(p)
    return f"p {said}" if said.startswith("<") else f"p = {said}"


@dataclass(frozen=True)
class Ground:
    """What the effects of one question rest on, for the brackets behind them.

    Attributes:
        unit: What an interval is over, in the singular.
        compared: What the correction counts, in the singular.
        number: How many of these there are.
        chance: The level of no effect, in words.
        sided: Said of p, if it is not two-sided.
        draws: Draws of base weights that members lie over; 0: not said.
    """

    unit: str
    compared: str
    number: int
    chance: str
    sided: str = ""
    draws: int = 0

    def stated(self, effects: Sequence[Effect]) -> str:
        """Level, n, the largest adjusted p with its correction, and the chance level."""
        which = "largest adjusted" if len(effects) > 1 else "adjusted"
        estimates = [own.estimate for own in effects]
        plural = "s" if len(effects) > 1 else ""
        largest = max((own.adjusted for own in effects if own.adjusted is not None), default=None)
        parts = (
            f"{numbers.level(estimates)} interval{plural}, {self.members(estimates)}",
            self.corrected(which, largest, effects),
            self.chance,
        )
        return "; ".join(part for part in parts if part)

    def missed(self, effects: Sequence[Effect]) -> str:
        """The same for effects that cannot be stated: the smallest adjusted p, and what tests could give."""
        estimates = [own.estimate for own in effects]
        known = [own.adjusted for own in effects if own.adjusted is not None]
        which = "smallest adjusted" if len(known) > 1 else "adjusted"
        bounded = [own for own in estimates if own.low is not None]
        plural = "s" if len(bounded) > 1 else ""
        level = f"{numbers.level(bounded)} interval{plural}" if bounded else "no interval"
        why = "" if known and bounded else next((own.why for own in effects if own.why), "")
        why = why or ("" if bounded else next((own.why for own in estimates if own.why), ""))
        parts = (
            f"{level}, {self.members(estimates)}",
            why,
            self.corrected(which, min(known), effects) if known else "no p value" * (not why),
            attainable(effects),
            self.chance,
        )
        return "; ".join(part for part in parts if part)

    def members(self, estimates: Sequence[records.Estimate]) -> str:
        """What intervals are over."""
        each = " each" if len(estimates) > 1 else ""
        drawn = f" on {numbers.count(self.draws, 'draw')}" if self.draws else ""
        return f"{members(estimates, self.unit)}{drawn}{each}"

    def corrected(self, which: str, p: float | None, effects: Sequence[Effect]) -> str:
        """An adjusted p with its correction.

        Args:
            which: Written before it.
            p: The value.
            effects: What it is of.
        """
        source = "p from the intervals, " if any(own.derived for own in effects) else ""
        sided = f", {self.sided}" if self.sided else ""
        over = numbers.count(self.number, self.compared, plural(self.compared))
        return f"{which} {probability(p)}, {source}Benjamini and Hochberg over {over}{sided}"


def attainable(effects: Iterable[Effect]) -> str:
    """The smallest p that tests could have given, and what follows where that is too large; or nothing."""
    smallest = [own.smallest for own in effects if own.smallest is not None]
    if not smallest:
        return ""
    none = ", so that none could be found" if min(smallest) > ALPHA else ""
    return f"the smallest p attainable is {numbers.probability(min(smallest))}{none}"


def plural(noun: str) -> str:
    """A noun of which only the first word has a plural.

    Examples:
        >>> plural("pair of pruners"), plural("draw")
        ('pairs of pruners', 'draws')
    """
    first, _, rest = noun.partition(" ")
    return f"{first}s{' ' * bool(rest)}{rest}"


def some(number: int, of: int, noun: str) -> str:
    """How many of how many.

    Examples:
        >>> some(2, 5, "pruner"), some(5, 5, "pruner"), some(2, 2, "pruner"), some(1, 1, "pair of pruners")
        ('2 of 5 pruners', 'all 5 pruners', 'both pruners', 'the one pair of pruners')
    """
    if number < of:
        return f"{number} of {numbers.count(of, noun, plural(noun))}"
    return {1: f"the one {noun}", 2: f"both {plural(noun)}"}.get(of, f"all {of:,} {plural(noun)}")


def which(subject: Subject, stated: Sequence[Effect], measured: Sequence[Effect]) -> str:
    """How many of the populations that were measured, with the names of the few, and of how many there are.

    Args:
        subject: What is asked.
        stated: Effects that are stated.
        measured: Effects that could have been.
    """
    own, of = ([*dict.fromkeys(one.of[0] for one in effects)] for effects in (stated, measured))
    said = some(len(own), len(of), subject.noun)
    left = [name for name in of if name not in own]
    partial = len(of) < len(subject.pruners)
    if len(own) <= _NAMED and (left or partial):
        said += f" ({listed(own)})"
    elif 0 < len(left) <= _NAMED:
        said += f" (not {listed(left)})"
    return f"{said}, those measured of {len(subject.pruners)}" if partial else said


def opposite(other: Sequence[Effect], of: int, noun: str) -> str:
    """That some effects of a question point the other way, as a sentence; or nothing."""
    return f"The opposite holds in {some(len(other), of, noun)}." if other else ""


def listed(parts: Sequence[str]) -> str:
    """The first few parts, and how many more.

    Examples:
        >>> listed(["a", "b"]), listed(list("abcde"))
        ('a and b', 'a, b, c, d and 1 more')
    """
    shown = list(parts[:_LISTED])
    if len(parts) > _LISTED:
        return f"{', '.join(shown)} and {len(parts) - _LISTED} more"
    return " and ".join([*([", ".join(shown[:-1])] if shown[:-1] else []), *shown[-1:]])
