"""Buffers, parameters and trained base weights in a member file."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from masklab.archive import Content, Member, encoding, member
from masklab.errors import ArchiveError

from . import changed, samples

NAMED = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8),
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
        elements=st.floats(width=32),
    ),
    max_size=3,
)


def _trained(**changes: Any) -> Content:
    plain = samples.content()
    random = np.random.RandomState(3)
    base = {name: random.standard_normal(mask.shape).astype(np.float32) for name, mask in plain.masks.items()}
    return replace(plain, base=base, origin_kind="trained", **changes)


def _assert_equal(found: dict[str, np.ndarray], written: Any) -> None:
    assert list(found) == sorted(written)
    for name, values in written.items():
        np.testing.assert_array_equal(found[name], values)  # NaN equals NaN here
        assert found[name].dtype == np.float32
        assert found[name].shape == values.shape
        assert found[name].flags.writeable


@settings(deadline=None, max_examples=50)
@given(buffers=NAMED, parameters=NAMED, trained=st.booleans())
def test_any_buffers_and_parameters_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    buffers: dict[str, np.ndarray],
    parameters: dict[str, np.ndarray],
    trained: bool,
) -> None:
    plain = _trained() if trained else samples.content()
    path = tmp_path_factory.mktemp("named") / "member"
    member.write(path, replace(plain, buffers=buffers, parameters=parameters))
    stored = Member(path)
    stored.verify()
    _assert_equal(stored.buffers(), buffers)
    _assert_equal(stored.parameters(), parameters)
    _assert_equal(dict(sorted(stored.weights().items())), plain.base)


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    buffers = {"norm.running_mean": np.arange(3, dtype=np.float32)}
    parameters = {"norm.weight": np.ones(3, dtype=np.float32)}
    member.write(tmp_path / "member", _trained(buffers=buffers, parameters=parameters))
    return tmp_path / "member"


def test_trained_weights_stand_in_the_file(file: Path) -> None:
    stored, content = Member(file), _trained()
    assert [layer.origin for layer in stored.layers] == ["trained"] * 3
    assert [entry["origin"] for entry in stored.facts["layers"]] == [{"kind": "trained", "width": 0}] * 3
    assert stored.facts["digest"] == encoding.member_digest(content.base, content.masks)
    assert list(stored.weights()) == list(content.base)
    assert list(stored.parameters()) == ["norm.weight"]
    library = safetensors.numpy.load_file(file)
    assert {name for name in library if name.startswith("origin/")} == set()
    for name, values in content.base.items():
        np.testing.assert_array_equal(library[f"parameter/{name}.weight"], values)
        np.testing.assert_array_equal(stored.weights()[name], values)


def test_trained_weights_are_held_against_the_digest(file: Path) -> None:
    def nudge(_: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        tensors["parameter/fc.weight"] = np.nextafter(tensors["parameter/fc.weight"], np.float32(np.inf))

    changed.rewrite(file, nudge)
    stored = Member(file)
    for check in (stored.weights, stored.verify):
        with pytest.raises(ArchiveError, match="do not have the stored digest"):
            check()


ONE = np.zeros((), dtype=np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"fc.weight": ONE}}, "'fc.weight' is the weight of a masked layer; .* `base`"),
        ({"parameters": {"a": ONE, "b/c": ONE}}, "parameter name 'b/c'; a name is not empty and has no '/'"),
        ({"buffers": {"": ONE}}, "buffer name ''; a name is not empty"),
        (
            {"origins": {"fc": np.zeros(20, dtype=np.int64)}, "origin_kind": "trained"},
            "trained base weights have no origins",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        encoding.encode(replace(samples.content(), **changes))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.bool_])
def test_only_float32_is_stored(dtype: type[np.generic]) -> None:
    message = f"buffer 'norm.steps' is {np.dtype(dtype)}; a member file holds float32"
    with pytest.raises(ArchiveError, match=message):
        encoding._float32("buffer", "norm.steps", np.zeros(2, dtype=dtype))


def _set(name: str, values: np.ndarray) -> changed.Change:
    return lambda _, tensors: tensors.update({name: values})


def _origin(origin: dict[str, Any] | None) -> changed.Change:
    return lambda document, _: document["layers"][2].update(origin=origin)


CHANGES: list[tuple[changed.Change, str]] = [
    (_set("buffer/norm.steps", np.zeros(1, dtype=np.uint8)), r"'buffer/norm.steps' is U8 of shape \[1\]"),
    (_set("parameter/norm.bias", np.zeros(1, dtype=np.float16)), r"'parameter/norm.bias' is F16"),
    (_set("buffer/", ONE), "tensor 'buffer/' does not belong"),
    (_set("parameter/a/b", ONE), "tensor 'parameter/a/b' does not belong"),
    (_set("parameter/fc.weight", np.zeros((5, 4), dtype=np.float32)), r"is F32 of shape \[5, 4\]"),
    (_set("parameter/fc.weight", np.zeros((4, 5), dtype=np.float16)), r"is F16 of shape \[4, 5\]"),
    (lambda _, tensors: tensors.pop("parameter/fc.weight"), "tensor 'parameter/fc.weight' is missing"),
    (_set("origin/fc", np.zeros(9, dtype=np.uint8)), "tensor 'origin/fc' does not belong"),
    (_origin({"kind": "trained", "width": 1}), "'fc' has trained weights and origins of 1 bytes"),
    (_origin(None), "'parameter/fc.weight' does not belong in a member file of these layers"),
    (_origin({"kind": "event", "width": 1}), "tensor 'origin/fc' is missing"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[message for _, message in CHANGES])
def test_a_contradiction_is_refused(file: Path, change: changed.Change, message: str) -> None:
    changed.rewrite(file, change)
    with pytest.raises(ArchiveError, match=message):
        Member(file)


def _imported(known: tuple[str, ...], **changes: Any) -> Content:
    """As from another tool: no recipe, and base weights of some layers alone."""
    trained = _trained()
    base = {name: values for name, values in trained.base.items() if name in known}
    return replace(trained, recipe=None, base=base, origin_kind="stored", **changes)


@settings(deadline=None, max_examples=20)
@given(known=st.sets(st.sampled_from(list(samples.SHAPES))))
def test_masks_may_come_without_base_weights(
    tmp_path_factory: pytest.TempPathFactory, known: set[str]
) -> None:
    content = _imported(tuple(known))
    path = tmp_path_factory.mktemp("imported") / "member"
    member.write(path, content)
    stored = Member(path)
    stored.verify()
    assert stored.recipe is None
    assert stored.facts["base"] is None
    kinds = ["stored" if name in known else "absent" for name in samples.SHAPES]
    assert [entry["origin"] for entry in stored.facts["layers"]] == [
        {"kind": kind, "width": 0} for kind in kinds
    ]
    assert stored.origins() == {}
    assert stored.parameters() == {}
    for name, mask in content.masks.items():
        np.testing.assert_array_equal(stored.mask()[name], mask)
    hashed = hashlib.sha256()
    for name, mask in content.masks.items():
        hashed.update(content.base[name].tobytes() if name in known else b"")
        hashed.update(np.packbits(mask, bitorder="little").tobytes())
    assert stored.facts["digest"] == hashed.hexdigest()
    assert stored.has_weights == (len(known) == len(samples.SHAPES))
    if stored.has_weights:
        _assert_equal(dict(sorted(stored.weights().items())), content.base)
    else:
        absent = next(name for name in samples.SHAPES if name not in known)
        with pytest.raises(ArchiveError, match=f"the base weights of layer '{absent}' are not known"):
            stored.weights()


def test_stored_weights_are_held_against_the_digest(tmp_path: Path) -> None:
    member.write(tmp_path / "member", _imported(("fc",)))
    changed.rewrite(tmp_path / "member", _set("parameter/fc.weight", np.zeros((4, 5), dtype=np.float32)))
    with pytest.raises(ArchiveError, match="do not have the stored digest"):
        Member(tmp_path / "member").verify()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (replace(_imported(()), recipe=samples.RECIPE), "base weights of other layers than the masks"),
        (_imported(("fc",), origins={"fc": np.zeros(20, dtype=np.int64)}), "stored base weights have no ori"),
        (replace(_imported(("fc",)), origin_kind=None), "'fc' has base weights from a recipe, and there is"),
        (_imported((), parameters={"fc.weight": ONE}), "'fc.weight' is the weight of a masked layer"),
    ],
)
def test_weights_that_nothing_explains_are_not_written(content: Content, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        encoding.encode(content)


@pytest.mark.parametrize("kind", [None, {"kind": "event", "width": 1}, {"kind": "position", "width": 1}])
def test_without_a_recipe_every_layer_says_where_its_weights_are(tmp_path: Path, kind: Any) -> None:
    member.write(tmp_path / "member", _imported(()))
    changed.rewrite(tmp_path / "member", _origin(kind))
    with pytest.raises(ArchiveError, match="'fc' has base weights from a recipe, and there is none"):
        Member(tmp_path / "member")


def test_weights_that_are_absent_stand_nowhere(tmp_path: Path) -> None:
    member.write(tmp_path / "member", _imported(()))
    values = np.zeros((4, 5), dtype=np.float32)
    changed.rewrite(tmp_path / "member", _set("parameter/fc.weight", values))
    with pytest.raises(ArchiveError, match=r"'parameter/fc.weight' does not belong"):
        Member(tmp_path / "member")
