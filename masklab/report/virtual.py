"""Large tables: the first rows are laid out in the page, all of them travel in its payload."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from masklab.report import tables

if TYPE_CHECKING:
    import jinja2

LIMIT = 150
"""A table of more rows is large."""

SHOWN = 100
"""Rows of a large table that are laid out."""

TEMPLATE = "tables.html.jinja"

Rows = Sequence[Sequence[tables.Cell]]


def equip(environment: "jinja2.Environment", populations: Iterable[str]) -> None:
    """Give an environment what the template of tables needs.

    Args:
        environment: It loads the templates of the page.
        populations: Names of all populations of the page; a row bears the places of those that it is about.
    """
    places = {name: place for place, name in enumerate(populations)}

    def about(row: Sequence[tables.Cell]) -> str:
        return " ".join(
            str(place) for place in sorted({places[own] for cell in row for own in cell.populations})
        )

    environment.filters["about"] = about
    environment.filters["split"] = split


def split(table: tables.Table) -> tuple[tables.Table, Rows | None]:
    """A table as it is laid out, and all of its rows where that is not all."""
    if len(table.rows) <= LIMIT:
        return table, None
    return replace(table, rows=table.rows[:SHOWN]), table.rows


def rows(environment: "jinja2.Environment", table: tables.Table) -> list[str]:
    """HTML of every row of a large table, as it stands in the page; empty for a table that is laid out whole.

    Args:
        environment: Went through `equip`.
        table: All of it.
    """
    _, whole = split(table)
    if whole is None:
        return []
    entry = environment.get_template(TEMPLATE).module.entry  # pyright: ignore[reportAttributeAccessIssue]
    return [str(entry(table.columns, row)) for row in whole]
