"""A labelled distance matrix: what it refuses, what it selects, what it becomes."""

import numpy as np
import pandas as pd
import pytest

from masklab.analysis.matrix import DistanceMatrix
from masklab.errors import DataError

IDS = ["a/0000", "a/0001", "b/0000", "b/0001"]
VALUES = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]], dtype=float)


@pytest.fixture
def matrix() -> DistanceMatrix:
    return DistanceMatrix(IDS, VALUES)


def test_it_holds_ids_and_values(matrix: DistanceMatrix) -> None:
    assert len(matrix) == 4
    assert matrix["a/0001", "b/0000"] == matrix["b/0000", "a/0001"] == 4
    assert matrix.condensed().tolist() == [1, 2, 3, 4, 5, 6]
    assert len(DistanceMatrix([], np.zeros((0, 0)))) == 0


def test_it_cannot_be_changed_from_outside() -> None:
    values = VALUES.copy()
    matrix = DistanceMatrix(IDS, values)
    values[0, 1] = 9
    assert matrix["a/0000", "a/0001"] == 1
    with pytest.raises(ValueError, match="read-only"):
        matrix.values[0, 1] = 9


def _with(row: int, column: int, value: float, *, both: bool = True) -> np.ndarray:
    values = VALUES.copy()
    values[row, column] = value
    if both:
        values[column, row] = value
    return values


@pytest.mark.parametrize(
    ("ids", "values", "message"),
    [
        (IDS, _with(0, 1, np.nan), "distance of a/0000 and a/0001 is not finite"),
        (IDS, _with(2, 3, np.inf), "distance of b/0000 and b/0001 is not finite"),
        (IDS, _with(0, 2, -0.1), "distance of a/0000 and b/0000 is below zero: -0.1"),
        (IDS, _with(1, 1, 0.5), "of a member to itself is not zero: 0.5"),
        (IDS, _with(0, 3, 8, both=False), "differ with the direction: 8.0 and 3.0"),
        (IDS, VALUES[:3], r"4 ids need 4 × 4 distances, got \(3, 4\)"),
        (IDS[:2], VALUES, r"2 ids need 2 × 2 distances, got \(4, 4\)"),
        ([*IDS[:3], IDS[0]], VALUES, "the id 'a/0000' is there twice"),
        (["", *IDS[1:]], VALUES, "names that are not empty"),
    ],
)
def test_it_does_not_exist_when_invalid(ids: list[str], values: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DistanceMatrix(ids, values)


def test_rounding_of_other_libraries_is_taken() -> None:
    matrix = DistanceMatrix(IDS, _with(0, 1, 1 + 1e-15, both=False))
    assert (matrix.values == matrix.values.T).all()


def test_filter_takes_ids_or_a_population(matrix: DistanceMatrix) -> None:
    assert matrix.filter("b").ids == ("b/0000", "b/0001")
    assert matrix.filter("b")["b/0000", "b/0001"] == 6
    some = matrix.filter(["b/0001", "a/0000"])
    assert some.ids == ("b/0001", "a/0000")
    assert some["a/0000", "b/0001"] == 3
    assert matrix.filter("a/0001").ids == ("a/0001",)
    with pytest.raises(DataError, match=r"there is no 'c' among a/0000, a/0001, b/0000 and 1 more"):
        matrix.filter("c")
    with pytest.raises(DataError, match="a/0000 is named twice"):
        matrix.filter(["a/0000", "a/0000"])


def test_within_and_between_are_all_pairs(matrix: DistanceMatrix) -> None:
    assert matrix.within("a").to_dict("list") == {"i": ["a/0000"], "j": ["a/0001"], "value": [1.0]}
    between = matrix.between("a", "b")
    assert between["value"].tolist() == [2, 3, 4, 5]
    assert between["i"].tolist() == ["a/0000", "a/0000", "a/0001", "a/0001"]
    assert len(matrix.within(IDS)) == 6
    with pytest.raises(DataError, match="a/0001 is in both sets"):
        matrix.between("a", ["b/0000", "a/0001"])


def test_pandas_there_and_back(matrix: DistanceMatrix) -> None:
    table = matrix.to_pandas()
    assert table.loc["a/0000", "b/0001"] == 3
    np.testing.assert_array_equal(DistanceMatrix.from_pandas(table).values, matrix.values)
    with pytest.raises(DataError, match="do not carry the same ids"):
        DistanceMatrix.from_pandas(table.loc[:, IDS[::-1]])
    with pytest.raises(DataError, match="no number"):
        DistanceMatrix.from_pandas(pd.DataFrame([["x"]], index=["a"], columns=["a"]))


def test_scikit_bio_there_and_back(matrix: DistanceMatrix) -> None:
    skbio = pytest.importorskip("skbio")
    other = matrix.to_skbio()
    assert isinstance(other, skbio.DistanceMatrix)
    assert other["a/0001", "b/0001"] == 5
    back = DistanceMatrix.from_skbio(other)
    assert back.ids == matrix.ids
    np.testing.assert_array_equal(back.values, matrix.values)
    with pytest.raises(DataError, match="without members"):
        DistanceMatrix([], np.zeros((0, 0))).to_skbio()
