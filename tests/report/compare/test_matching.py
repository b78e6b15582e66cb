from pathlib import Path

import pytest

from masklab.errors import ArchiveError
from masklab.report import load
from masklab.report.compare import document, matching

from ..together import studies


def _analysis(results: studies.Row, name: str, folder: str = "runs/x") -> load.Analysis:
    own = studies.analysis(studies.other(results, name))
    return load.Analysis(Path(folder), own.results, None)


def _former(results: studies.Row, *names: str) -> list[document.Former]:
    return [document.make(_analysis(results, name)) for name in names]


def test_by_name(results: studies.Row) -> None:
    former = _former(results, "a", "b", "c")
    found = matching.match(former, [_analysis(results, name) for name in ("c", "d", "a")])
    assert [own and own.study for own in found] == ["c", None, "a"]


def test_two_single_studies_match_whatever_their_names(results: studies.Row) -> None:
    assert matching.match(_former(results, "a"), [_analysis(results, "b")]) == _former(results, "a")


@pytest.mark.parametrize(("former", "here"), [(("a", "b"), ("c",)), (("a",), ("c", "d"))])
def test_no_common_name(results: studies.Row, former: tuple[str, ...], here: tuple[str, ...]) -> None:
    with pytest.raises(ArchiveError) as raised:
        matching.match(_former(results, *former), [_analysis(results, name) for name in here])
    there, named = (", ".join(map(repr, names)) for names in (former, here))
    assert str(raised.value) == (
        f"nothing to compare with: the former analyses are of {there}, none of which is among {named}; "
        "studies are compared by name"
    )


@pytest.mark.parametrize(
    ("former", "here", "wanted"),
    [
        (("a (one)", "a (two)"), "a", "a (two)"),
        (("a",), "a (two)", "a"),
        (("a", "a (two)"), "a (two)", "a (two)"),
    ],
)
def test_equal_names_are_matched_by_directory(
    results: studies.Row, former: tuple[str, ...], here: str, wanted: str
) -> None:
    """A page tells studies of equal name apart by their directories; alone they have their own name."""
    (found,) = matching.match(_former(results, *former), [_analysis(results, here, "runs/two")])
    assert found is not None
    assert found.study == wanted
