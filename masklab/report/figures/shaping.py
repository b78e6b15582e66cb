"""Numbers of a figure as rows with named columns, and how many of their digits are printed."""

import statistics
from collections.abc import Iterable, Mapping
from operator import attrgetter

from masklab.report import numbers, records
from masklab.report.figures import figure

Row = dict[str, figure.Value]


def table(rows: Iterable[Mapping[str, figure.Value]], note: str = "") -> figure.Data:
    """Rows with one column for each of their names, in the order in which these first occur.

    Args:
        rows: Name → value; what a row lacks is None.
        note: What is not in it, and where that lies.

    Examples:
        >>> made = table([{"layer": "fc1", "value": 0.5}, {"layer": "fc2", "chance": 0.0}])
        >>> made.columns, made.rows
        (['layer', 'value', 'chance'], [('fc1', 0.5, None), ('fc2', None, 0.0)])
    """
    found = list(rows)
    columns = list(dict.fromkeys(name for row in found for name in row))
    return figure.Data(columns, [tuple(row.get(name) for name in columns) for row in found], note)


def row(record: records.Record, *names: str, of: str = "estimate") -> Row:
    """Fields of a record, then one of its estimates: value, interval and what it rests on.

    Args:
        record: A row of `results.json`.
        names: Fields that are taken as they are.
        of: Where the estimate stands, as in `barrier.entezari_error`; if not in the row's own `estimate`,
            its name becomes the column `metric`.
    """
    fields: Row = {name: getattr(record, name) for name in names}
    if of != "estimate":
        fields["metric"] = of.rpartition(".")[2]
    own: records.Estimate = attrgetter(of)(record)
    return {**fields, **{name: getattr(own, name) for name in ("value", "low", "high", "level", "n")}}


def digits(found: Iterable[records.Estimate], scale: float, most: int) -> int:
    """Decimals that the intervals of several numbers carry which are printed alike: the median of each one's.

    Args:
        found: What is printed with as many decimals.
        scale: Factor on all of it: 100 for percent.
        most: Decimals that are never exceeded; those where there is no interval.

    Examples:
        >>> def own(half):
        ...     ends = {"low": 0.5 - half, "high": 0.5 + half}
        ...     return records.Estimate(value=0.5, **ends, level=0.95, method="t", n=3)
        >>> digits([own(0.004)], 1.0, 3), digits([own(0.04)], 1.0, 3), digits([own(0.4)], 1.0, 3)
        (3, 3, 2)
        >>> digits([own(0.4), own(0.04)], 100.0, 2), digits([own(0.0)], 100.0, 2)
        (0, 2)
    """
    known = [numbers.decimals(own, scale, most) for own in found if own.low != own.high]
    return min(most, statistics.median_low(known)) if known else most
