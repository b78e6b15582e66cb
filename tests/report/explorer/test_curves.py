import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from masklab.landscape import barriers
from masklab.report import load
from masklab.report.explorer import curves

from . import studies


def _read(analysis: load.Analysis) -> curves.Curves:
    found = curves.read(analysis)
    assert isinstance(found, curves.Curves), found
    return found


@pytest.fixture
def study(small: load.Analysis, tmp_path: Path) -> load.Analysis:
    """The small study in a folder of its own, without its curves."""
    (tmp_path / "analysis").mkdir()
    return replace(small, directory=tmp_path)


def _pairs(analysis: load.Analysis) -> list[studies.Line]:
    return list(itertools.combinations(analysis.members, 2))


def _write(analysis: load.Analysis, lines: list[studies.Line]) -> pd.DataFrame:
    members = [member.model_dump() for member in analysis.results.members]
    return studies.curves(Path(str(analysis.directory)), {"members": members}, lines)


def _put(analysis: load.Analysis, content: bytes) -> None:
    Path(str(analysis.directory), "analysis", curves.FILE).write_bytes(content)


def _table(analysis: load.Analysis, table: pd.DataFrame) -> None:
    _put(analysis, table.to_csv(index=False).encode())


def test_only_straight_lines_on_test_images_are_read(small: load.Analysis) -> None:
    found, ids = _read(small), list(small.members)
    drawn = found.document
    lines = [(ids[i], ids[j]) for i, j in zip(drawn["first"], drawn["second"], strict=True)]
    assert sorted(lines) == sorted(_pairs(small))
    assert (found.shown, found.measured) == (153, 153)
    for line, t, accuracy in zip(lines, drawn["t"], drawn["accuracy"], strict=True):
        assert t == [at / 10 for at in range(11)]
        assert accuracy == pytest.approx(studies.accuracies(line), abs=1e-5)
    values = list(itertools.chain.from_iterable(drawn["accuracy"]))
    assert (found.low, found.high) == (min(values), max(values))


def test_barriers_are_those_of_the_landscape(small: load.Analysis) -> None:
    drawn = _read(small).document
    for t, accuracy, barrier in zip(drawn["t"], drawn["accuracy"], drawn["barrier"], strict=True):
        wanted = float(barriers.entezari(1.0 - np.array(accuracy), np.array(t)))
        assert barrier == pytest.approx(wanted, abs=1e-5)


def test_many_curves_are_sampled_evenly_over_kinds_of_pairs(study: load.Analysis) -> None:
    large = studies.many(study, Path(str(study.directory)), 60, lines=800)
    members, ids = large.members, list(large.members)
    table = pd.read_csv(Path(str(large.directory)) / "analysis" / curves.FILE)
    lines = list(dict.fromkeys(zip(table["member_a"], table["member_b"], strict=True)))

    def kind(line: studies.Line) -> tuple[str, ...]:
        return tuple(studies.kind(*(members[name].model_dump() for name in line)).values())

    measured = Counter(map(kind, lines))
    found = _read(large)
    drawn = [(ids[i], ids[j]) for i, j in zip(found.document["first"], found.document["second"], strict=True)]
    shown = Counter(map(kind, drawn))
    assert (found.shown, found.measured, found.kinds) == (curves.MOST, 800, len(measured))
    assert len(set(drawn)) == curves.MOST
    assert set(shown) == set(measured)
    most = max(shown.values())
    for own, count in shown.items():
        assert count >= min(measured[own], most - 1)


def test_the_same_table_gives_the_same_curves(small: load.Analysis) -> None:
    assert _read(small) == _read(small)


def test_names_that_a_spreadsheet_would_take_for_formulas(study: load.Analysis) -> None:
    lines = _pairs(study)[:2]
    table = _write(study, lines)
    first = study.results.members[0]
    renamed = [first.model_copy(update={"id": "=1+1/0000"}), *study.results.members[1:]]
    named = replace(study, results=study.results.model_copy(update={"members": renamed}))
    assert lines[0][0] == lines[1][0] == first.id
    _table(study, table.replace({"member_a": {first.id: "'=1+1/0000"}}))
    assert _read(named).document["first"] == [0, 0]


def test_points_may_stand_in_any_order(study: load.Analysis) -> None:
    _write(study, _pairs(study)[:3])
    straight = _read(study)
    table = pd.read_csv(Path(str(study.directory)) / "analysis" / curves.FILE)
    _table(study, table.sort_values(["t", "split"], ascending=False, kind="stable"))
    assert _read(study).document == straight.document


def test_without_a_table_it_says_so(study: load.Analysis) -> None:
    assert curves.read(study) == "the analysis holds no interpolation.csv"


def test_other_paths_alone_are_no_straight_lines(study: load.Analysis) -> None:
    table = _write(study, _pairs(study)[:3])
    _table(study, table.loc[table["path"] != "linear"])
    assert curves.read(study) == "interpolation.csv holds no straight line on test images"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b'"', b"\n\n"])
def test_a_damaged_table_is_a_reason(study: load.Analysis, content: bytes) -> None:
    _put(study, content)
    found = curves.read(study)
    assert isinstance(found, str)
    assert found.startswith("interpolation.csv is damaged (")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("accuracy", "1.5", "t or an accuracy is not between 0 and 1"),
        ("t", "inf", "t or an accuracy is not between 0 and 1"),
        ("t", "-0.1", "t or an accuracy is not between 0 and 1"),
        ("t", "0.05", "does not reach both"),
        ("member_b", "nobody/0000", "is not a stored member"),
        ("accuracy", "nan", "its columns are not those of an analysis"),
        ("order", "", "its columns are not those of an analysis"),
        ("accuracy", "much", "its columns are not those of an analysis"),
    ],
)
def test_a_value_that_cannot_be_is_a_reason(
    study: load.Analysis, column: str, value: str, reason: str
) -> None:
    table = _write(study, _pairs(study)[:2]).astype(str)
    table.loc[0, column] = value
    _table(study, table)
    found = curves.read(study)
    assert isinstance(found, str)
    assert reason in found


def test_a_table_that_is_a_folder_is_a_reason(study: load.Analysis) -> None:
    (Path(str(study.directory)) / "analysis" / curves.FILE).mkdir()
    found = curves.read(study)
    assert isinstance(found, str)
    assert found.startswith("interpolation.csv is damaged (")
