"""How masks move: what is planted is said, in both directions."""

from collections.abc import Callable

import pytest

from masklab.report.findings import movement
from tests.report.predicted import value

from .planted import A, B, C, Study

Make = Callable[..., Study]


@pytest.fixture
def three(study: Make) -> Study:
    """Three pruners with snapshots."""
    return study()


def _moved(three: Study, way: float, first: float, last: float, **match: str) -> None:
    """Plant the distance to the final mask, and bits flipped per epoch at first and at last."""
    whole = {"layer": "whole"} | match
    three.put("movement", whole | {"metric": "to_final"}, estimate=value(way, 0.01), chance=0.5)
    three.put("movement", whole | {"metric": "flipped_per_epoch"}, estimate=value(first, 0.001))
    three.put("movement", whole | {"metric": "flipped_per_epoch", "to": 20}, estimate=value(last, 0.001))


def test_flips_that_rise_and_masks_farther_than_chance_are_said_to_be_so(three: Study) -> None:
    _moved(three, 0.6, 0.01, 0.02)
    found = three.answer(movement.ask)
    assert found.carried
    assert found.text.startswith(
        "Masks end farther from where they were after epoch 0 than chance, in all 3 pruners: Hamming "
        "distance 0.600 [0.590, 0.610], where independent masks have 0.500 (95 % intervals, n = 6 "
    )
    assert (
        " Masks move more towards the end, in all 3 pruners: 2.00 % [1.90, 2.10] of the bits flip per epoch "
        "at last, 1.00 % [0.90, 1.10] at first (95 % intervals, n = 6 "
    ) in found.text
    assert not any(word in found.text for word in ("nearer", "move less", "opposite"))


def test_the_rarer_direction_is_the_opposite(three: Study) -> None:
    _moved(three, 0.4, 0.02, 0.01)
    _moved(three, 0.6, 0.01, 0.02, population=C)
    text = three.answer(movement.ask).text
    assert f"than chance, in 2 of 3 pruners ({A} and {B}): Hamming distance 0.400 [" in text
    assert f"Masks move less towards the end, in 2 of 3 pruners ({A} and {B}): 1.00 % [0.90, 1.10]" in text
    assert text.count(" The opposite holds in 1 of 3 pruners.") == 2


def test_one_of_two_can_be_answered(three: Study) -> None:
    _moved(three, 0.5, 0.01, 0.02)
    text = three.answer(movement.ask).text
    assert text.startswith("Masks move more towards the end, in all 3 pruners: ")
    assert "chance" not in text


def test_masks_that_move_less_and_less(three: Study) -> None:
    whole = {"layer": "whole"}
    three.put("movement", whole | {"metric": "to_final"}, estimate=value(0.1, 0.01), chance=0.5)
    three.put("movement", whole | {"metric": "flipped_per_epoch"}, estimate=value(0.02, 0.001))
    three.put("movement", whole | {"metric": "flipped_per_epoch", "to": 20}, estimate=value(0.01, 0.001))
    found = three.answer(movement.ask)
    assert found.text == (
        "Masks end nearer to where they were after epoch 0 than chance, in all 3 pruners: Hamming distance "
        "0.100 [0.090, 0.110], where independent masks have 0.500 (95 % intervals, n = 6 members on 3 "
        "draws each; largest adjusted p < 0.0001, p from the intervals, Benjamini and Hochberg over 6 "
        "comparisons). Masks move less towards the end, in all 3 pruners: 1.00 % [0.90, 1.10] of the bits "
        "flip per epoch at last, 2.00 % [1.90, 2.10] at first (95 % intervals, n = 6 members on 3 draws "
        "each; largest adjusted p < 0.0001, p from the intervals, Benjamini and Hochberg over 6 "
        "comparisons)."
    )
    three.put("movement", whole | {"metric": "flipped_per_epoch"}, estimate=value(0.02, 0.001))
    assert "move less" not in three.answer(movement.ask).text
    three.put("movement", whole | {"metric": "to_final"}, estimate=value(0.5, 0.01))
    found = three.answer(movement.ask)
    assert not found.carried
    assert found.text.startswith(
        "Whether masks end nearer to where they started than chance, and whether they "
    )
