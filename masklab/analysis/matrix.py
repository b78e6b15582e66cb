"""Distances between members with their ids: a matrix that cannot exist when it is not one of distances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from masklab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from skbio import DistanceMatrix as SkbioMatrix

_TOLERANCE = 1e-12  # rounding of what other libraries computed

Chosen = str | Iterable[str]
"""Members: ids, or the name of a population, or one id."""


@dataclass(frozen=True, eq=False)
class DistanceMatrix:
    """Distances of all pairs of members.

    Attributes:
        ids: Member ids, one per row and column.
        values: Distances; read-only, symmetric, finite, none below zero, zero on the diagonal.

    Raises:
        DataError: The ids are no distinct names, or the values are not distances of as many members.

    Examples:
        >>> values = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0]])
        >>> found = DistanceMatrix(["a/0000", "a/0001", "b/0000"], values)
        >>> found["a/0000", "b/0000"], found.filter("a").ids
        (2.0, ('a/0000', 'a/0001'))
    """

    ids: Sequence[str]
    values: Shaped[np.ndarray, "..."]  # its shape is checked below

    def __post_init__(self) -> None:
        ids, values = tuple(self.ids), np.array(self.values, dtype=np.float64)
        _check(ids, values)
        values = (values + values.T) / 2  # exact where it is symmetric
        np.fill_diagonal(values, 0.0)
        values.setflags(write=False)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, pair: tuple[str, str]) -> float:
        """Distance of two members.

        Raises:
            DataError: One of them is not here.
        """
        return float(self.values[self._place(pair[0]), self._place(pair[1])])

    def filter(self, chosen: Chosen) -> "DistanceMatrix":
        """The distances of some members, in the order given.

        Raises:
            DataError: One is not here, or is named twice.
        """
        places = self._places(chosen)
        ids = [str(self.ids[at]) for at in places]
        return DistanceMatrix(ids, self.values[np.ix_(places, places)])

    def within(self, chosen: Chosen) -> "pd.DataFrame":
        """Distances of all pairs of distinct members of one set: columns i, j, value.

        Raises:
            DataError: One is not here, or is named twice.
        """
        places = self._places(chosen)
        first, second = np.triu_indices(len(places), 1)
        return self._pairs(places[first], places[second])

    def between(self, chosen: Chosen, others: Chosen) -> "pd.DataFrame":
        """Distances of every member of one set to every member of another: columns i, j, value.

        Raises:
            DataError: One is not here, is named twice, or is in both sets.
        """
        rows, columns = self._places(chosen), self._places(others)
        both = set(rows.tolist()) & set(columns.tolist())
        if both:
            raise DataError(f"{self.ids[min(both)]} is in both sets of members; they must be disjoint")
        return self._pairs(np.repeat(rows, len(columns)), np.tile(columns, len(rows)))

    def condensed(self) -> Float64[np.ndarray, " pairs"]:
        """The upper triangle row by row, as SciPy's `squareform` gives it."""
        return self.values[np.triu_indices(len(self), 1)]

    def to_pandas(self) -> "pd.DataFrame":
        """A table whose rows and columns carry the ids."""
        import pandas as pd

        return pd.DataFrame(self.values, index=list(self.ids), columns=list(self.ids))

    @classmethod
    def from_pandas(cls, table: "pd.DataFrame") -> "DistanceMatrix":
        """A matrix from a table whose rows and columns carry the same ids in the same order.

        Raises:
            DataError: They do not, or the values are no distances.
        """
        ids = [str(name) for name in table.index]
        if ids != [str(name) for name in table.columns]:
            raise DataError("the rows and the columns of the table do not carry the same ids in one order")
        try:
            return cls(ids, table.to_numpy(dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise DataError(f"the table holds something that is no number: {error}") from error

    def to_skbio(self) -> "SkbioMatrix":
        """The same as `skbio.DistanceMatrix`; scikit-bio must be installed.

        Raises:
            DataError: It is not, or there is no member, which scikit-bio cannot express.
        """
        try:
            import skbio
        except ImportError as error:
            raise DataError("scikit-bio is not installed; `pip install scikit-bio`") from error
        if not self.ids:
            raise DataError("scikit-bio has no distance matrix without members")
        return skbio.DistanceMatrix(np.array(self.values), list(self.ids))

    @classmethod
    def from_skbio(cls, matrix: "SkbioMatrix") -> "DistanceMatrix":
        """A matrix from `skbio.DistanceMatrix`.

        Raises:
            DataError: It holds values that are no distances (scikit-bio allows some below zero).
        """
        return cls(list(matrix.ids), np.array(matrix.data))

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {own: at for at, own in enumerate(self.ids)}

    def _place(self, member: str) -> int:
        if member not in self._place_of:
            raise DataError(f"there is no {member!r} among {_named(self.ids)}")
        return self._place_of[member]

    def _places(self, chosen: Chosen) -> Int64[np.ndarray, " chosen"]:
        if isinstance(chosen, str):
            own = [at for at, member in enumerate(self.ids) if member.rpartition("/")[0] == chosen]
            places = own or [self._place(chosen)]
        else:
            places = [self._place(member) for member in chosen]
        if len(set(places)) < len(places):
            twice = next(at for at in places if places.count(at) > 1)
            raise DataError(f"{self.ids[twice]} is named twice")
        return np.array(places, dtype=np.int64)

    def _pairs(
        self, first: Int64[np.ndarray, " pairs"], second: Int64[np.ndarray, " pairs"]
    ) -> "pd.DataFrame":
        import pandas as pd

        names = np.array(self.ids, dtype=object)
        return pd.DataFrame({"i": names[first], "j": names[second], "value": self.values[first, second]})


def _check(ids: tuple[str, ...], values: Float64[np.ndarray, "..."]) -> None:
    if any(not isinstance(own, str) or not own for own in ids):
        raise DataError("ids of a distance matrix are names that are not empty")
    if len(set(ids)) < len(ids):
        twice = next(own for own in ids if ids.count(own) > 1)
        raise DataError(f"the id {twice!r} is there twice; ids of a distance matrix are distinct")
    if values.shape != (len(ids), len(ids)):
        raise DataError(f"{len(ids)} ids need {len(ids)} × {len(ids)} distances, got {values.shape}")
    for wrong, what in (
        (~np.isfinite(values), "is not finite (undefined)"),
        (values < 0, "is below zero"),
        (np.eye(len(ids), dtype=bool) & (np.abs(values) > _TOLERANCE), "of a member to itself is not zero"),
    ):
        if wrong.any():
            row, column = (int(at[0]) for at in np.nonzero(wrong))
            raise DataError(f"the distance of {ids[row]} and {ids[column]} {what}: {values[row, column]}")
    skew = np.abs(values - values.T) > _TOLERANCE * np.maximum(1.0, np.abs(values))
    if skew.any():
        row, column = (int(at[0]) for at in np.nonzero(skew))
        raise DataError(
            f"the distances of {ids[row]} and {ids[column]} differ with the direction: "
            f"{values[row, column]} and {values[column, row]}"
        )


def _named(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:3])
    return f"{shown} and {len(ids) - 3} more" if len(ids) > 3 else shown or "no members"
