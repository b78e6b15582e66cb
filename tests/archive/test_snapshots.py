"""Masks of earlier epochs in a member file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab import bits
from masklab.archive import Content, Member, encoding, member
from masklab.errors import ArchiveError

from . import changed, samples

SHAPES = {"fc": (20, 30), "conv": (4, 2, 3, 3)}


def _content(snapshots: dict[int, float]) -> Content:
    drawn = samples.masks(0, 0.5, SHAPES)
    earlier = {epoch: samples.masks(epoch + 1, density, SHAPES) for epoch, density in snapshots.items()}
    return replace(samples.content(drawn=drawn), snapshots=earlier, gains={})


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    member.write(tmp_path / "member", _content({1: 0.5, 3: 0.02}))
    return tmp_path / "member"


@settings(deadline=None, max_examples=30)
@given(
    snapshots=st.dictionaries(st.integers(0, 5000), st.sampled_from([0.01, 0.5, 0.99, 1.0]), max_size=4),
    shuffled=st.randoms(use_true_random=False),
)
def test_snapshots_come_back(
    tmp_path_factory: pytest.TempPathFactory, snapshots: dict[int, float], shuffled: Any
) -> None:
    content = _content(snapshots)
    order = list(snapshots)
    shuffled.shuffle(order)
    path = tmp_path_factory.mktemp("snapshots") / "member"
    member.write(path, content)
    stored = Member(path)
    stored.verify()
    assert stored.snapshots == sorted(snapshots)
    for epoch, masks in content.snapshots.items():
        found = stored.snapshot(epoch)
        assert list(found) == list(masks)
        for layer, mask in masks.items():
            np.testing.assert_array_equal(found[layer], mask)
            assert found[layer].dtype == np.bool_
            np.testing.assert_array_equal(
                stored.packed_snapshot(epoch, layer), np.packbits(mask.reshape(-1), bitorder="little")
            )
    reordered = replace(content, snapshots={epoch: content.snapshots[epoch] for epoch in order})
    assert encoding.encode(reordered) == path.read_bytes()


def test_every_codec_occurs(tmp_path: Path) -> None:
    at = np.arange(4096)
    shown = {1: at % 2 == 0, 2: at % 100 == 0, 3: np.random.RandomState(0).random_sample(4096) < 0.1}
    snapshots = {epoch: {"fc": mask.reshape(64, 64)} for epoch, mask in shown.items()}
    drawn = samples.masks(0, 0.5, {"fc": (64, 64)})
    member.write(tmp_path / "member", replace(samples.content(drawn=drawn), snapshots=snapshots))
    stored = Member(tmp_path / "member")
    codecs = [layer["codec"] for entry in stored.facts["snapshots"] for layer in entry["layers"]]
    assert codecs == ["bitmap", "gaps", "golomb"]
    for epoch, masks in snapshots.items():
        np.testing.assert_array_equal(stored.snapshot(epoch)["fc"], masks["fc"])


def test_without_snapshots_there_is_none(tmp_path: Path) -> None:
    member.write(tmp_path / "member", samples.content())
    stored = Member(tmp_path / "member")
    assert stored.snapshots == []
    assert "snapshots" not in stored.facts
    with pytest.raises(ArchiveError, match="member has no snapshot at epoch 1; snapshots at epochs: none"):
        stored.snapshot(1)


def test_what_is_not_there_is_named(file: Path) -> None:
    stored = Member(file)
    for ask in (lambda: stored.snapshot(2), lambda: stored.packed_snapshot(2, "fc")):
        with pytest.raises(ArchiveError, match="has no snapshot at epoch 2; snapshots at epochs: 1, 3"):
            ask()
    with pytest.raises(ArchiveError, match="has no layer 'fc2'; it has fc, conv"):
        stored.packed_snapshot(1, "fc2")


def test_snapshots_are_not_in_the_digest(file: Path) -> None:
    plain = replace(_content({}), snapshots={})
    assert Member(file).facts["digest"] == encoding.member_digest(plain.base, plain.masks)


DRAWN = samples.masks(9, 0.5, SHAPES)


@pytest.mark.parametrize(
    ("epoch", "masks"),
    [
        (-1, DRAWN),
        (1, {"fc": DRAWN["fc"]}),
        (1, dict(reversed(DRAWN.items()))),
        (1, {**DRAWN, "fc": DRAWN["fc"].T}),
        (1, {**DRAWN, "head": DRAWN["fc"]}),
    ],
)
def test_a_snapshot_of_other_layers_cannot_be_stored(epoch: int, masks: dict[str, np.ndarray]) -> None:
    content = replace(_content({}), snapshots={epoch: masks})
    message = f"snapshot at epoch {epoch} of layers {', '.join(masks)}; it takes .* order: fc, conv$"
    with pytest.raises(ArchiveError, match=message):
        encoding.encode(content)


def _entry(document: dict[str, Any], **changes: Any) -> None:
    document["snapshots"][1] = {**document["snapshots"][1], **changes}


def _layer(document: dict[str, Any], **changes: Any) -> None:
    document["snapshots"][1]["layers"][0] |= changes


CHANGES: list[tuple[changed.Change, str]] = [
    (lambda document, _: document.update(snapshots=[]), r"snapshots \[\] are none"),
    (lambda document, _: document.update(snapshots={}), r"snapshots \{\} is not list"),
    (lambda document, _: document.update(snapshots=[3]), "incomplete description"),
    (lambda document, _: document.pop("snapshots"), "'snapshot/1/conv' does not belong in a member file"),
    (lambda document, _: document["snapshots"].pop(), "'snapshot/3/conv' does not belong in a member file"),
    (lambda document, _: document["snapshots"].reverse(), "snapshot at epoch 1 after one at epoch 3"),
    (lambda document, _: _entry(document, epoch=1), "snapshot at epoch 1 after one at epoch 1"),
    (lambda document, _: _entry(document, epoch=4), "tensor 'snapshot/4/fc' is missing"),
    (lambda document, _: _entry(document, epoch=3.0), r"epoch of a snapshot 3\.0 is not a whole number"),
    (lambda document, _: _entry(document, epoch=-1), "epoch of a snapshot -1 is not a whole number from 0"),
    (lambda document, _: _entry(document, layers=3), "layers of a snapshot 3 is not list"),
    (lambda document, _: document["snapshots"][1]["layers"].pop(), "epoch 3 has 1 layers, not 2"),
    (lambda document, _: document["snapshots"][1].pop("layers"), "KeyError: 'layers'"),
    (lambda document, _: _layer(document, kept=601), "keeps 601 of the 600 weights of layer 'fc'"),
    (lambda document, _: _layer(document, kept="1"), "kept count of a snapshot '1' is not a whole number"),
    (lambda document, _: _layer(document, kept=11), "'snapshot/3/fc': golomb frame does not hold 11"),
    (lambda document, _: _layer(document, codec="bitmap"), "'snapshot/3/fc': damaged frame"),
    (lambda document, _: _layer(document, codec="gaps"), "'snapshot/3/fc': damaged frame"),
    (lambda document, _: _layer(document, codec="runs"), "'snapshot/3/fc': unknown codec 'runs'"),
    (lambda document, _: _layer(document, codec=None), "codec of a snapshot None is not str"),
    (lambda _, tensors: tensors.pop("snapshot/1/conv"), "tensor 'snapshot/1/conv' is missing"),
    (
        lambda _, tensors: tensors.update({"snapshot/1/head": tensors["snapshot/1/fc"]}),
        "'snapshot/1/head' does not belong in a member file",
    ),
    (
        lambda _, tensors: tensors.update({"snapshot/1/fc": np.zeros(3, dtype=np.float32)}),
        r"tensor 'snapshot/1/fc' is F32 of shape \[3\]",
    ),
    (
        lambda _, tensors: tensors.update({"snapshot/1/fc": tensors["snapshot/1/fc"][None]}),
        r"tensor 'snapshot/1/fc' is U8 of shape \[1, ",
    ),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[message for _, message in CHANGES])
def test_a_contradiction_is_refused(file: Path, change: changed.Change, message: str) -> None:
    changed.rewrite(file, change)
    with pytest.raises(ArchiveError, match=message):
        Member(file).verify()


def test_one_damaged_snapshot_leaves_the_others(file: Path) -> None:
    expected = bits.pack(_content({1: 0.5, 3: 0.02}).snapshots[1]["fc"].reshape(-1))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1  # in the last tensor by name, `snapshot/3/fc`
    file.write_bytes(data)
    stored = Member(file)
    np.testing.assert_array_equal(stored.packed_snapshot(1, "fc"), expected)
    stored.mask()
    for ask in (lambda: stored.snapshot(3), stored.verify):
        with pytest.raises(ArchiveError, match="tensor 'snapshot/3/fc' is damaged"):
            ask()
