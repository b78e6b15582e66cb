"""Every path begins and ends at the members themselves, and lies where it lies whatever else is built."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from masklab.landscape import mixing, settings
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Path, all_paths
from tests.landscape.paths import walks
from tests.landscape.paths.conftest import Make

PATHS = sorted(all_paths())


def pairs(ends: Ends) -> list[tuple[str, str]]:
    """Of each two populations: two members on one draw of base weights, two on different ones."""
    names = [row["name"] for row in ends.archive.study["populations"]]
    return [(f"{a}/0000", f"{b}/{i:04d}") for a, b in itertools.product(names, names) for i in (1, 2)]


def same(found: State, at: int, end: End) -> bool:
    """Whether a point is a member bit for bit (zero is zero whatever its sign)."""
    own = end.state
    return found.keys() == own.keys() and all(torch.equal(found[key][at], own[key][0]) for key in own)


def test_the_folder_has_the_paths_that_are_promised() -> None:
    assert PATHS == ["bernoulli", "geodesic", "geodesic-swap", "linear", "ranked", "scores"]
    assert sorted(settings.path_names()) == PATHS
    assert all(isinstance(path, Path) for path in all_paths().values())
    assert walks.RANDOM == ["bernoulli", "geodesic", "geodesic-swap"]


@pytest.mark.parametrize("name", PATHS)
def test_ends_are_the_members(name: str, small: Ends, wide: Ends) -> None:
    rules = set()
    for ends in (small, wide):
        for a, b in pairs(ends):
            if all_paths()[name].why_not(ends, a, b) is not None:
                continue
            rules.add(all_paths()[name].rule(ends, a, b))
            found = walks.walk(ends, name, a, b, [1.0, 0.5, 0.0])
            assert same(found, 2, ends.of(a)) and same(found, 0, ends.of(b)), (a, b)
            assert all(len(values) == 3 for values in found.values())
    assert rules == {"linear": {"weights"}, "scores": {"mask"}}.get(name, {"mask", "effective"})


@pytest.mark.parametrize("name", PATHS)
def test_an_end_has_the_gain_that_was_stored(name: str, small: Ends) -> None:
    a, b = small.of("biprop/0000"), small.of("biprop/0002")
    first, last = (
        dataclasses.replace(
            end, effective={layer: values * (1 + 2**-23) for layer, values in end.effective.items()}
        )
        for end in (a, b)
    )
    found = walks.walk(small, name, first, last, [0.0, 1.0])
    assert same(found, 0, first) and same(found, 1, last)
    assert not same(found, 0, a) and not same(found, 1, b)


@pytest.mark.parametrize("name", PATHS)
def test_points_built_apart_lie_on_the_same_path(name: str, small: Ends, wide: Ends) -> None:
    for ends, a, b in (
        (wide, "edge-popup/0000", "edge-popup/0002"),
        (wide, "edge-popup/0000", "biprop/0001"),
        (small, "biprop/0000", "biprop/0002"),
        (small, "biprop/0000", "edge-popup+recycle/0000"),
    ):
        if all_paths()[name].why_not(ends, a, b) is not None:
            continue
        together = walks.walk(ends, name, a, b, walks.TENTHS)
        for places in ([0], [3], [1, 2, 9], [10], [4, 5, 6, 7, 8]):
            apart = walks.walk(ends, name, a, b, [walks.TENTHS[place] for place in places])
            for key, values in together.items():
                assert torch.equal(values[places], apart[key])


@pytest.mark.parametrize("name", walks.RANDOM)
def test_orders_differ(name: str, wide: Ends) -> None:
    one, same_again, other = (
        walks.walk(wide, name, "biprop/0000", "biprop/0002", [0.5], number)["fc1.weight"]
        for number in (0, 0, 1)
    )
    assert torch.equal(one, same_again) and not torch.equal(one, other)


@pytest.mark.parametrize("name", PATHS)
def test_what_surrounds_the_masks_is_blended(name: str, small: Ends) -> None:
    a, b = small.of("biprop/0000"), small.of("biprop/0002")
    found = walks.walk(small, name, a.id, b.id, walks.TENTHS)
    names = {"body.norm.weight", "body.norm.bias", "body.norm.running_mean", "body.norm.running_var"}
    assert names < set(a.around)
    for key in names:
        first, last = a.around[key].numpy(), b.around[key].numpy()
        assert not np.array_equal(first, last)
        line = np.stack([(1 - t) * first + t * last for t in walks.TENTHS])
        np.testing.assert_allclose(found[key].numpy(), line, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["linear", "geodesic", "geodesic-swap", "bernoulli"])
def test_ends_that_no_file_has_can_be_walked_between(name: str, small: Ends) -> None:
    a, b = small.of("biprop/0000"), small.of("biprop/0002")
    found = walks.walk(small, name, walks.renamed(a), walks.renamed(b), walks.TENTHS)
    for key, values in walks.walk(small, name, a, b, walks.TENTHS).items():
        assert torch.equal(values, found[key])


def test_reasons_name_members_and_settings(small: Ends, wide: Ends) -> None:
    def reason(ends: Ends, name: str, a: str, b: str) -> str:
        text = all_paths()[name].why_not(ends, f"{a}/0000", f"{b}/0002")
        assert text is not None and "\n" not in text
        return text

    kept = [
        wide.archive.member(f"{name}/000{i}").layers[0].kept for i, name in enumerate(("sparse", "biprop"))
    ]
    assert kept == [288, 480]
    assert reason(wide, "geodesic-swap", "sparse", "biprop") == (
        "needs equal kept counts in every layer: of 'fc1' sparse/0000 keeps 288 weights, biprop/0002 480"
    )
    for name in ("ranked", "scores"):
        assert reason(wide, name, "edge-popup", "random") == (
            "needs scores, and random/0002 has none: pruners store theirs where [study] has "
            'keep_scores = "final", controls have none'
        )
    apart = "needs one gate and one set of base weights, which {}/0000 and {}/0002 do not share"
    for a, b in (("edge-popup", "biprop"), ("edge-popup", "edge-popup+iterand")):
        assert reason(wide, "scores", a, b) == apart.format(a, b)
    assert reason(wide, "scores", "biprop", "signed") == (
        "needs one rank: biprop/0000 has 'abs', signed/0002 has 'signed'"
    )
    assert reason(wide, "scores", "global", "edge-popup") == (
        "needs one selection: global/0000 has 'global', edge-popup/0002 has 'layer'"
    )
    first, last = (wide.of(member).kept for member in ("sparse/0000", "edge-popup/0002"))
    assert reason(wide, "scores", "sparse", "edge-popup") == (
        f"needs equal kept counts: of fc1 sparse/0000 keeps {first['fc1']} weights, "
        f"edge-popup/0002 {last['fc1']}"
    )
    assert "of the network global/0000 keeps 523 weights, global-sparse/0002 314" in reason(
        wide, "scores", "global", "global-sparse"
    )
    assert all_paths()["scores"].why_not(small, "biprop/0000", "biprop/0001") == apart.replace(
        "0002", "0001"
    ).format("biprop", "biprop")


def test_members_without_stored_scores_have_no_path_of_scores(make: Make) -> None:
    ends = make(
        {"name": "tests.networks.samples:plain"}, {"pruner": "biprop", "name": "b"}, keep_scores="none"
    )
    for name in ("ranked", "scores"):
        text = all_paths()[name].why_not(ends, "b/0000", "b/0002")
        assert text is not None and text.startswith("needs scores, and b/0000 has none")


@pytest.mark.parametrize("name", walks.RANDOM)
def test_a_random_path_needs_random_numbers(name: str, small: Ends) -> None:
    path, member = all_paths()[name], small.of("biprop/0000")
    with pytest.raises(ValueError, match="a random path needs a stream"):
        path.states(small, member, member, torch.tensor([0.5]), None)


@pytest.mark.parametrize("name", PATHS)
def test_a_path_to_itself_stands_still(name: str, small: Ends) -> None:
    for member in ("biprop/0000", "edge-popup/0001"):
        found = walks.walk(small, name, member, member, walks.TENTHS)
        for key, values in small.of(member).state.items():
            torch.testing.assert_close(found[key], values.expand_as(found[key]), rtol=1e-6, atol=0)


def test_ends_share_where_gate_and_base_weights_are_equal(small: Ends, wide: Ends) -> None:
    for ends in (small, wide):
        names = [row["name"] for row in ends.archive.study["populations"]]
        for a, b in itertools.combinations([f"{name}/{i:04d}" for name in names for i in range(3)], 2):
            first, last = ends.of(a), ends.of(b)
            equal = all(torch.equal(values, last.base[layer]) for layer, values in first.base.items())
            shared = first.gate_name == last.gate_name and equal
            assert ends.shares(a, b) == mixing.share(first, last) == mixing.share(last, first) == shared
            assert mixing.rule(ends, a, b) == ("mask" if shared else "effective")


def test_cards_say_what_members_are(wide: Ends) -> None:
    for row in wide.archive.study["populations"]:
        card, end = wide.card(f"{row['name']}/0000"), wide.of(f"{row['name']}/0000")
        assert (card.gate, card.drawn, card.kept) == (end.gate_name, end.recipe, end.kept)
        assert card.sizes == {layer: mask.numel() for layer, mask in end.mask.items()}
        assert card.density == sum(end.kept.values()) / end.size
        assert card.scored == bool(wide.scores(end.id)) == (row["name"] != "random")
        assert card.changed == (card.drawn is None) == ("iterand" in row["name"])
        assert card.rank == ("signed" if "signed" in row["name"] else "abs")
        assert card.selection == ("global" if "global" in row["name"] else "layer")
