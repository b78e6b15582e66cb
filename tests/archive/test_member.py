import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab import bits
from masklab.archive import Content, Layer, Member, Recipe, encoding, member
from masklab.errors import ArchiveError

from . import samples


def _stored(folder: Path, content: Content) -> Member:
    member.write(folder / "member", content)
    return Member(folder / "member")


def _with_everything() -> Content:
    plain = samples.content()
    return replace(
        plain,
        scores={
            name: np.arange(mask.size, dtype=np.float32).reshape(mask.shape)
            for name, mask in plain.masks.items()
        },
        origins={"conv2": np.zeros(54, dtype=np.int64), "fc": np.zeros(20, dtype=np.uint8)},
        origin_kind="event",
        prediction=np.array([1, 0, 2]),
        probability=np.full((3, 3), 0.25, dtype=np.float16),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    content = _with_everything()
    stored = _stored(tmp_path, content)
    stored.verify()
    assert stored.id == "biprop-d0.5/0000"
    assert stored.recipe == content.recipe
    assert content.facts.items() <= stored.facts.items()
    assert [layer.name for layer in stored.layers] == ["conv2", "conv1", "fc"]
    assert [layer.gain for layer in stored.layers] == [None, None, 0.25]
    assert [layer.origin for layer in stored.layers] == ["event", None, "event"]
    for read, written in (
        (stored.mask(), content.masks),
        (stored.weights(), content.base),
        (stored.scores(), content.scores),
    ):
        assert list(read) == list(written)
        for name, values in written.items():
            np.testing.assert_array_equal(read[name], values)
            assert read[name].dtype == values.dtype
    for layer in stored.layers:
        assert layer.kept == content.masks[layer.name].sum()
        np.testing.assert_array_equal(
            stored.packed(layer.name), bits.pack(content.masks[layer.name].reshape(-1))
        )
    np.testing.assert_array_equal(stored.prediction(), content.prediction)
    np.testing.assert_array_equal(stored.probability(), content.probability)


def test_scores_predictions_and_probabilities_may_be_absent(tmp_path: Path) -> None:
    stored = _stored(tmp_path, samples.content())
    stored.verify()
    assert stored.scores() == {}
    assert stored.prediction().size == 0
    assert stored.probability().shape == (0, 0)


def test_equal_content_gives_equal_bytes() -> None:
    content = _with_everything()
    shuffled = replace(content, facts=dict(reversed(list(content.facts.items()))))
    assert encoding.encode(content) == encoding.encode(shuffled) == encoding.encode(_with_everything())


def test_the_safetensors_library_reads_the_same_arrays(tmp_path: Path) -> None:
    content = _with_everything()
    stored = _stored(tmp_path, content)
    arrays = safetensors.numpy.load_file(tmp_path / "member")
    assert set(arrays) == {
        *(f"mask/{name}" for name in samples.SHAPES),
        *(f"score/{name}" for name in samples.SHAPES),
        "origin/conv2",
        "origin/fc",
        "prediction/class",
        "prediction/probability",
    }
    np.testing.assert_array_equal(arrays["prediction/class"], content.prediction)
    np.testing.assert_array_equal(arrays["prediction/probability"], content.probability)
    for name, scores in stored.scores().items():
        np.testing.assert_array_equal(arrays[f"score/{name}"], scores)
    with safetensors.safe_open(tmp_path / "member", framework="numpy") as file:
        assert set(file.metadata()) == {"masklab", "checksum"}


@pytest.mark.parametrize(("classes", "dtype"), [(2, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_classes_take_the_narrowest_type(tmp_path: Path, classes: int, dtype: type[np.generic]) -> None:
    probability = np.zeros((1, classes), dtype=np.float16)
    content = replace(samples.tiny(), prediction=np.array([classes - 1]), probability=probability)
    read = _stored(tmp_path, content).prediction()
    assert read.dtype == dtype
    assert read.tolist() == [classes - 1]


def test_the_member_digest_covers_every_weight_and_every_bit() -> None:
    content = samples.content()
    digest = encoding.member_digest(content.base, content.masks)
    hashed = hashlib.sha256()
    for name in samples.SHAPES:
        hashed.update(content.base[name].astype("<f4").tobytes())
        hashed.update(np.packbits(content.masks[name], bitorder="little").tobytes())
    assert digest == hashed.hexdigest() == "126a6693c3ba269bd42b7430e5e929536fb856fc6c45dca300516a468383fab7"
    for name in samples.SHAPES:
        weights = {**content.base, name: np.nextafter(content.base[name], np.float32(np.inf))}
        masks = {
            **content.masks,
            name: content.masks[name]
            ^ (np.arange(content.masks[name].size) == 3).reshape(content.masks[name].shape),
        }
        assert digest not in {
            encoding.member_digest(weights, content.masks),
            encoding.member_digest(content.base, masks),
        }


def _redrawn(recipe: Recipe, layer: Layer, origin: np.ndarray) -> np.ndarray:
    """Base weights after events redrew some weights, one by one."""
    values = recipe.initial(layer)
    for at, event in enumerate(origin.tolist()):
        values[at] = recipe.event(layer, event)[at] if event else values[at]
    return values


@settings(deadline=None)
@given(st.lists(st.integers(0, 299), min_size=20, max_size=20))
def test_weights_come_back_from_the_events_that_drew_them(
    tmp_path_factory: pytest.TempPathFactory, events: list[int]
) -> None:
    content = samples.content(drawn={"fc": samples.masks(0, 0.5)["fc"]})
    origin = np.array(events)
    base = _redrawn(samples.RECIPE, Layer("fc", (4, 5), 1), origin).reshape(4, 5)
    changed = replace(content, base={"fc": base}, origins={"fc": origin}, origin_kind="event")
    stored = _stored(tmp_path_factory.mktemp("events"), changed)
    np.testing.assert_array_equal(stored.weights()["fc"], base)


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=20, max_size=20))
def test_weights_come_back_from_the_positions_they_were_copied_from(
    tmp_path_factory: pytest.TempPathFactory, positions: list[int]
) -> None:
    content = samples.content(drawn={"fc": samples.masks(0, 0.5)["fc"]})
    initial = content.base["fc"].reshape(-1)
    base = np.array([initial[at if source == 0 else source - 1] for at, source in enumerate(positions)])
    changed = replace(
        content, base={"fc": base.reshape(4, 5)}, origins={"fc": np.array(positions)}, origin_kind="position"
    )
    stored = _stored(tmp_path_factory.mktemp("positions"), changed)
    np.testing.assert_array_equal(stored.weights()["fc"], base.reshape(4, 5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": replace(samples.RECIPE, seed=6)}, "do not have the stored digest"),
        ({"recipe": replace(samples.RECIPE, level=0)}, "do not have the stored digest"),
        ({"recipe": replace(samples.RECIPE, factor=1.0)}, "do not have the stored digest"),
        ({"origins": {"fc": np.arange(20) % 2}, "origin_kind": "event"}, "do not have the stored digest"),
        ({"origins": {"fc": np.arange(20)}, "origin_kind": "position"}, "do not have the stored digest"),
        ({"origins": {"fc": np.arange(20) + 2}, "origin_kind": "position"}, "'fc': .*origin"),
        (
            {"origins": {"fc": np.arange(20)}, "origin_kind": "copy"},
            "unknown origin 'copy'; known: event, pos",
        ),
    ],
)
def test_weights_that_are_not_the_members_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    stored = _stored(tmp_path, replace(samples.content(), **changes))
    for check in (stored.weights, stored.verify):
        with pytest.raises(ArchiveError, match=message):
            check()


def test_weights_may_be_read_unchecked(tmp_path: Path) -> None:
    other = replace(samples.RECIPE, seed=6)
    content = replace(samples.content(), recipe=other)
    read = _stored(tmp_path, content).weights(verify=False)
    np.testing.assert_array_equal(read["fc"], samples.base(content.masks, other)["fc"])


def test_an_unknown_layer_names_the_known_ones(tmp_path: Path) -> None:
    stored = _stored(tmp_path, samples.content())
    for ask in (stored.layer, stored.packed):
        with pytest.raises(ArchiveError, match="has no layer 'fc2'; it has conv2, conv1, fc"):
            ask("fc2")


def test_one_layer_can_be_trusted_alone(tmp_path: Path) -> None:
    content = samples.content()
    data = bytearray(encoding.encode(content))
    data[-1] ^= 1  # in the last tensor by name, the mask of `fc`
    (tmp_path / "member").write_bytes(data)
    stored = Member(tmp_path / "member")
    np.testing.assert_array_equal(stored.packed("conv1"), bits.pack(content.masks["conv1"].reshape(-1)))
    with pytest.raises(ArchiveError, match="tensor 'mask/fc' is damaged"):
        stored.packed("fc")


def test_a_file_that_goes_away_is_an_archive_error(tmp_path: Path) -> None:
    stored = _stored(tmp_path, samples.content())
    stored.path.unlink()
    with pytest.raises(ArchiveError, match=r"does not exist"):
        stored.mask()


@pytest.mark.parametrize("density", [0.02, 0.5, 0.98])
def test_size_on_disk_stays_near_one_bit_per_weight(density: float) -> None:
    drawn = samples.masks(0, density, {"fc": (200, 500)})
    size = len(encoding.encode(samples.content(drawn=drawn)))
    assert size < 1.25 * math.prod((200, 500)) / 8 + 1500
