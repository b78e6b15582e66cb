"""Tables of what changed: settings, and numbers before and now."""

from collections.abc import Sequence

from masklab.report import numbers, tables
from masklab.report.compare import quantities
from masklab.report.compare.changes import Changes

STUDY = tables.Column("study", numeric=False)


def settings(compared: Sequence[Changes], key: str) -> tables.Table:
    """One row per setting that is another one now.

    Args:
        compared: All studies; their names stand in a first column where there are several.
        key: Its anchor.
    """
    columns = (
        *_study_column(compared),
        tables.Column("of", numeric=False),
        tables.Column("setting", numeric=False),
        tables.Column("before", numeric=False),
        tables.Column("now", numeric=False),
    )
    rows = [
        [
            *_study(changes, compared),
            *(
                tables.Cell(text, text)
                for text in (setting.group, setting.name, setting.before, setting.after)
            ),
        ]
        for changes in compared
        for setting in changes.settings
    ]
    return tables.Table(key, "Settings that changed; – = was not set.", columns, rows)


def moved(compared: Sequence[Changes], key: str) -> tables.Table:
    """One row per number that both analyses have, what moved most first.

    Args:
        compared: All studies; their names stand in a first column where there are several.
        key: Its anchor.
    """
    columns = (
        *_study_column(compared),
        tables.Column("number", numeric=False),
        tables.Column("populations", numeric=False),
        tables.Column("before"),
        tables.Column("now"),
        tables.Column("difference", note="now less before"),
        tables.Column("verdict", numeric=False),
        tables.Column("n", note="members or pairs, before → now where it is another number"),
    )
    rows = [
        [*_study(changes, compared), *_moved(own, changes)]
        for changes in compared
        for own in changes.numbers
        if not changes.nothing
    ]
    levels = dict.fromkeys(f"{100.0 * own.level:g} %" for one in compared for own in (one.before, one.after))
    caption = (
        f"Numbers before and now. Brackets: {' and '.join(levels)} intervals; what moved most against the "
        "width of its intervals comes first. Verdicts compare intervals and test nothing."
    )
    return tables.Table(key, caption, columns, rows)


def _study_column(compared: Sequence[Changes]) -> list[tables.Column]:
    return [STUDY] if len(compared) > 1 else []


def _study(changes: Changes, compared: Sequence[Changes]) -> list[tables.Cell]:
    name = changes.after.study
    return [tables.Cell(name, name)] if len(compared) > 1 else []


def _moved(own: quantities.Moved, changes: Changes) -> list[tables.Cell]:
    names = own.populations
    shown = " – ".join(names) or "all"
    n = dict.fromkeys(f"{number.n:,}" for number in (own.before, own.after))
    return [
        tables.Cell(own.label, own.label, own.detail),
        tables.Cell(shown, shown, populations=names),
        *(
            tables.estimate(quantities.estimate(number, level), "undefined", own.scale, own.digits)
            for number, level in ((own.before, changes.before.level), (own.after, changes.after.level))
        ),
        _difference(own),
        tables.Cell(own.verdict, own.verdict),
        tables.Cell(" → ".join(n), own.after.n),
    ]


def _difference(own: quantities.Moved) -> tables.Cell:
    difference = own.difference
    if difference is None:
        return tables.Cell(numbers.UNDEFINED)
    text = numbers.fixed(own.scale * difference, own.digits)
    rises = difference > 0.0 and float(text) != 0.0
    return tables.Cell(f"+{text}" if rises else text, own.scale * difference)
