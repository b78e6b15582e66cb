"""Which effects the numbers carry: the interval excludes the chance level, and the adjusted p is small.

Tests have their p in the analysis. Where it made none, p is what the interval stands for, t with as many
degrees of freedom as the interval has, adjusted over everything that the same question compares.

Source: Altman and Bland, How to obtain the P value from a confidence interval (BMJ 343, 2011); Benjamini and
Hochberg, Controlling the false discovery rate (Journal of the Royal Statistical Society B 57, 1995).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from masklab.report import records
from masklab.report.findings.subject import Subject

ALPHA = 0.05
"""Adjusted p above which nothing is stated."""

LEAST_MEMBERS = 3
"""Values below which the interval of their mean stands for no p."""

LEAST_MASKS = 5
"""Masks below which an interval over pairs of masks stands for no p: the two pairs that four masks on two
draws make may agree by accident, and their interval then has next to no width."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Effect:
    """One comparison.

    Attributes:
        of: Names of what is compared, for instance two populations.
        estimate: The effect with its interval; it has a value.
        chance: What it would be without an effect.
        p: Its p value.
        adjusted: The same, corrected for all comparisons of its family.
        smallest: The smallest p that the test can give.
        derived: Whether p is derived from the interval.
        why: Why there is no p.
    """

    of: tuple[str, ...]
    estimate: records.Estimate
    chance: float
    p: float | None = None
    adjusted: float | None = None
    smallest: float | None = None
    derived: bool = False
    why: str = ""

    @property
    def value(self) -> float:
        """The effect; 0.0 stands for none."""
        return self.estimate.value or 0.0

    @property
    def excess(self) -> float:
        """How far the effect is from its chance level."""
        return self.value - self.chance

    @property
    def carried(self) -> bool:
        """Whether the effect can be stated."""
        low, high = self.estimate.low, self.estimate.high
        return low is not None and high is not None and not low <= self.chance <= high and self.significant

    @property
    def significant(self) -> bool:
        """Whether the adjusted p is small enough, the interval aside."""
        return small(self.adjusted)

    @property
    def more(self) -> bool:
        """Whether the effect can be stated, and is above its chance level."""
        return self.carried and self.excess > 0.0

    @property
    def less(self) -> bool:
        """Whether the effect can be stated, and is below its chance level."""
        return self.carried and self.excess < 0.0

    def turned(self) -> "Effect":
        """The same difference, taken the other way round."""
        found = self.estimate
        ends = {
            "value": -self.value,
            "low": None if found.high is None else -found.high,
            "high": None if found.low is None else -found.low,
        }
        return replace(
            self, of=self.of[::-1], estimate=found.model_copy(update=ends), chance=-self.chance or 0.0
        )

    def upwards(self) -> "Effect":
        """The same difference, taken so that it is not negative."""
        return self.turned() if self.value < 0.0 else self


def small(p: float | None) -> bool:
    """Whether an adjusted p is at most `ALPHA`; the correction rounds.

    Examples:
        >>> small(0.05 * 6 / 6), small(0.0501), small(None)
        (True, False, False)
    """
    return p is not None and p <= ALPHA * (1.0 + _ROUNDING)


def tested(rows: Iterable[records.Test]) -> list[Effect]:
    """Effects of tests that the analysis made; those without an effect are left out."""
    return [
        Effect(
            of=tuple(name for name in (row.a, row.b) if name is not None),
            estimate=row.estimate,
            chance=row.chance or 0.0,
            p=row.p,
            adjusted=row.adjusted_p,
            smallest=row.smallest_p,
            why=row.why or "",
        )
        for row in rows
        if row.estimate.value is not None
    ]


def compared(subject: Subject, test: str) -> tuple[list[Effect], int]:
    """Tests of two pruners at one density, and over how many pairs of populations their p are adjusted.

    Args:
        subject: What is asked.
        test: Name of the test.
    """
    rows = [row for row in subject.analysis.results.tests if row.test == test and row.a and row.b]
    own = set(subject.pruners)
    found = tested(
        row for row in rows if row.a in own and row.b in own and subject.rivals(row.a or "", row.b or "")
    )
    return found, sum(row.adjusted_p is not None for row in rows)


def alone(subject: Subject, test: str) -> tuple[list[Effect], int]:
    """Tests of single pruners, and over how many populations their p are adjusted.

    Args:
        subject: What is asked.
        test: Name of the test.
    """
    rows = [row for row in subject.analysis.results.tests if row.test == test and row.a and not row.b]
    found = tested(row for row in rows if row.a in subject.pruners)
    return found, sum(row.adjusted_p is not None for row in rows)


def sides(effects: Sequence[Effect]) -> tuple[list[Effect], list[Effect]]:
    """Effects that can be stated, those of the more common direction first.

    Args:
        effects: Of one question.
    """
    more, less = [own for own in effects if own.more], [own for own in effects if own.less]
    return (more, less) if len(more) >= len(less) else (less, more)


def farthest(effects: Sequence[Effect]) -> Effect:
    """The effect that is farthest from its chance level; the first of equal ones."""
    return max(effects, key=lambda own: abs(own.excess))


def family(effects: Sequence[Effect]) -> list[Effect]:
    """The same effects with their p adjusted over all of them that have one."""
    adjusted = iter(adjust([effect.p for effect in effects if effect.p is not None]))
    return [effect if effect.p is None else replace(effect, adjusted=next(adjusted)) for effect in effects]


def derived(
    of: tuple[str, ...],
    found: records.Estimate,
    chance: float,
    *,
    least: int = LEAST_MEMBERS,
    degrees: int | None = None,
) -> Effect:
    """An effect that no test was made of; its p is that of its interval.

    Args:
        of: What is compared.
        found: The effect with its interval.
        chance: What it would be without an effect.
        least: Units below which there is no p.
        degrees: Degrees of freedom of the interval; n − 1 by default.
    """
    effect = Effect(of, found, chance, derived=True, why=_few(found, least))
    if degrees is None:
        degrees = max(found.n - 1, 1)
    error = standard_error(found, effect.excess < 0.0, degrees)
    if error is None or effect.why:
        return effect
    return replace(effect, p=_two_sided(effect.excess, error, degrees))


def _few(found: records.Estimate, least: int) -> str:
    """Why an interval stands for no p; empty where it does."""
    if found.low is None or found.high is None:
        return found.why or "no interval"
    return f"fewer than {least} of them are too few for a p value" if found.n < least else ""


def difference(
    of: tuple[str, ...], first: records.Estimate, second: records.Estimate, *, least: int = LEAST_MEMBERS
) -> Effect | None:
    """The first less the second, whatever they have in common; None where one has no interval.

    The standard error of a difference is at most the sum of the two standard errors, so interval and p are
    conservative where both rest on the same masks.

    Args:
        of: What is compared.
        first: An estimate.
        second: Another one.
        least: Units of either below which there is no p.
    """
    if first.value is None or second.value is None:
        return None
    degrees = max(min(first.n, second.n) - 1, 1)
    value = first.value - second.value
    errors = (
        standard_error(first, value < 0.0, max(first.n - 1, 1)),
        standard_error(second, value > 0.0, max(second.n - 1, 1)),
    )
    if errors[0] is None or errors[1] is None:
        return None
    error = errors[0] + errors[1]
    half = _quantile(degrees, first.level) * error
    found = first.model_copy(
        update={"value": value, "low": value - half, "high": value + half, "n": degrees + 1, "why": None}
    )
    why = _few(found, least)
    return Effect(of, found, 0.0, None if why else _two_sided(value, error, degrees), derived=True, why=why)


def standard_error(found: records.Estimate, above: bool, degrees: int) -> float | None:
    """Standard error that one side of an interval stands for; None without one, or without a width.

    Args:
        found: The estimate.
        above: Whether the upper side is meant; else the lower one.
        degrees: Degrees of freedom.
    """
    if found.value is None or found.low is None or found.high is None:
        return None
    reach = found.high - found.value if above else found.value - found.low
    return reach / _quantile(degrees, found.level) if reach > 0.0 else None


def _quantile(degrees: int, level: float) -> float:
    from scipy import special

    return float(special.stdtrit(degrees, (1.0 + level) / 2.0))


def _two_sided(excess: float, error: float, degrees: int) -> float:
    from scipy import special

    return float(2.0 * special.stdtr(degrees, -abs(excess) / error))


def adjust(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p values, in the same order.

    Examples:
        >>> adjust([0.01, 0.04, 0.03])
        [0.03, 0.04, 0.04]
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at], reverse=True)
    adjusted, least = [0.0] * len(p_values), 1.0
    for place, at in enumerate(order):
        least = min(least, p_values[at] * len(p_values) / (len(p_values) - place))
        adjusted[at] = least
    return adjusted
