"""Splits, normalisation, orders and augmentation."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from masklab import seeds
from masklab.data import Data, augmentations
from masklab.errors import ConfigError
from masklab.training import augment as augmenting
from masklab.training import counts, images

LEVELS = [{"batches": 0, "augment": 0}, {"batches": 1, "augment": 1}, {"batches": 0, "augment": 1}]


@pytest.fixture
def data() -> Data:
    random = np.random.RandomState(0)
    return Data(
        random.randint(0, 256, (40, 3, 6, 5)).astype(np.uint8),
        np.arange(40) % 4,
        random.randint(0, 256, (8, 3, 6, 5)).astype(np.uint8),
        np.arange(8) % 4,
        ("a", "b", "c", "d"),
    )


def test_validation_is_stratified_disjoint_and_fixed_by_the_seed(data: Data) -> None:
    held_out = images.validation_split(data, 0.2, 5)
    assert held_out.sum() == counts.validation_count(40, 0.2) == 8
    assert np.bincount(data.train_labels[held_out]).tolist() == [2, 2, 2, 2]
    assert np.array_equal(held_out, images.validation_split(data, 0.2, 5))
    on_device = images.on_device(data, 0.2, 5, "cpu")
    assert len(on_device.train[1]) == 32
    assert len(on_device.validation[1]) == 8


def test_each_member_sees_every_image_once_in_its_own_order(data: Data) -> None:
    on_device = images.on_device(data, 0.0, 0, "cpu")
    seen, labels = [], []
    for batch, truth in images.epoch_batches(on_device, 0, LEVELS, 3, 16, "none"):
        assert batch.shape[:2] == truth.shape
        seen.append(batch)
        labels.append(truth)
    orders = torch.cat(seen, 1)
    assert orders.shape == (3, 40, 3, 6, 5)
    assert torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], orders[1])
    expected = images.normalise(on_device.train[0], on_device.mean, on_device.deviation)
    for member in orders:
        assert torch.equal(member.flatten(1).sum(1).sort().values, expected.flatten(1).sum(1).sort().values)
    assert torch.cat(labels, 1)[0].bincount().tolist() == [10, 10, 10, 10]


def test_normalised_training_images_have_mean_0_and_deviation_1(data: Data) -> None:
    on_device = images.on_device(data, 0.0, 0, "cpu")
    normal = images.normalise(on_device.train[0], on_device.mean, on_device.deviation)
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_a_constant_channel_does_not_divide_by_zero(data: Data) -> None:
    flat = Data(
        np.full_like(data.train_images, 7),
        data.train_labels,
        data.test_images,
        data.test_labels,
        data.classes,
    )
    assert images.normalisation(flat) == ([7.0] * 3, [1.0] * 3)


def _plain(data: Data) -> images.Images:
    """The data set on the CPU, unsplit, with a normalisation that changes nothing."""
    none = torch.zeros(0, 3, 6, 5, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    train = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    return images.Images(train, none, none, torch.zeros(3, 1, 1), torch.ones(3, 1, 1))


@pytest.mark.parametrize(
    ("augment", "digest"),
    [
        ("none", "b87750f356290dd94b52053220dd0a0c69722837868f4b92907f561610eef0fe"),
        ("crop-flip", "3f28046d28e01bab2d3c5f4a60dccc4f10e05231d416a0824a42174476eceea3"),
    ],
)
def test_batches_never_change(data: Data, augment: str, digest: str) -> None:
    hasher = hashlib.sha256()
    for batch, truth in images.epoch_batches(_plain(data), 7, LEVELS, 3, 16, augment):
        hasher.update(batch.to(torch.uint8).numpy().tobytes())
        hasher.update(truth.numpy().astype("<i8").tobytes())
    assert hasher.hexdigest() == digest


@pytest.mark.parametrize("augment", augmentations.NAMES)
def test_batches_are_the_augmentation_of_what_was_drawn(data: Data, augment: str) -> None:
    plain, known = _plain(data), augmenting.find(augment)
    pixels, labels = plain.train
    batches = list(images.epoch_batches(plain, 5, LEVELS, 2, 16, augment))
    assert [truth.shape for _, truth in batches] == [(3, 16), (3, 16), (3, 8)]
    for member, level in enumerate(LEVELS):
        order = torch.from_numpy(seeds.stream(5, "batches", level["batches"], event=2).permutation(40))
        expected = pixels[order]
        if known is not None:
            random = seeds.stream(5, "augment", level["augment"], event=2)
            expected = known.apply(expected, torch.from_numpy(known.draw(random, 40, 6, 5)))
        assert torch.equal(torch.cat([batch[member] for batch, _ in batches]), expected.float())
        assert torch.equal(torch.cat([truth[member] for _, truth in batches]), labels[order])
    assert torch.equal(pixels, torch.from_numpy(data.train_images))  # nothing was written over


@pytest.mark.parametrize("augment", augmentations.NAMES)
@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_an_epoch_goes_on_in_its_middle(data: Data, augment: str, start: int) -> None:
    on_device = images.on_device(data, 0.0, 0, "cpu")
    whole = list(images.epoch_batches(on_device, 0, LEVELS, 1, 16, augment))
    rest = list(images.epoch_batches(on_device, 0, LEVELS, 1, 16, augment, start=start))
    assert len(rest) == 3 - start
    for expected, got in zip(whole[start:], rest, strict=True):
        assert torch.equal(expected[0], got[0])
        assert torch.equal(expected[1], got[1])


@pytest.mark.parametrize("augment", ["none", "flip", "resized-crop-flip"])
def test_members_of_equal_levels_share_draws_and_numbers(
    data: Data, augment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    stream = seeds.stream

    def watched(seed: int, source: seeds.Source, level: int = 0, **path: Any) -> np.random.RandomState:
        asked.append((source, level))
        return stream(seed, source, level, **path)

    on_device = images.on_device(data, 0.0, 0, "cpu")
    levels = [{"batches": 1, "augment": 2}] * 4 + [{"batches": 1, "augment": 3}]
    monkeypatch.setattr(seeds, "stream", watched)
    ((batch, truth),) = images.epoch_batches(on_device, 0, levels, 0, 40, augment)
    drawn = [] if augment == "none" else [("augment", 2), ("augment", 3)]
    assert sorted(asked) == [*drawn, ("batches", 1)]
    assert batch.shape[0] == truth.shape[0] == 5
    alone = list(images.epoch_batches(on_device, 0, levels[:1], 0, 40, augment))
    for member in range(4):
        assert torch.equal(batch[member], alone[0][0][0])
        assert torch.equal(truth[member], alone[0][1][0])
    assert torch.equal(batch[4], batch[0]) == (augment == "none")


def test_batches_of_another_type_are_rounded_from_float32(data: Data) -> None:
    on_device = images.on_device(data, 0.0, 0, "cpu")
    ((full, _),) = images.epoch_batches(on_device, 0, LEVELS, 0, 40, "crop-flip")
    ((half, _),) = images.epoch_batches(on_device, 0, LEVELS, 0, 40, "crop-flip", dtype=torch.bfloat16)
    assert full.dtype == torch.float32
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, full.bfloat16())


def test_normalising_leaves_its_input_alone() -> None:
    pixels = torch.arange(24.0).view(1, 2, 3, 4)
    normal = images.normalise(pixels, torch.ones(2, 1, 1), torch.full((2, 1, 1), 2.0))
    assert torch.equal(pixels, torch.arange(24.0).view(1, 2, 3, 4))
    assert torch.equal(normal, (pixels - 1) / 2)


def test_an_unknown_augmentation(data: Data) -> None:
    with pytest.raises(ConfigError, match=r"unknown augmentation 'crop' .*known: crop-flip, flip, none"):
        next(images.epoch_batches(_plain(data), 0, LEVELS, 0, 16, "crop"))


def test_augmentation_follows_its_own_seed(data: Data) -> None:
    on_device = images.on_device(data, 0.0, 0, "cpu")
    ((batch, _),) = images.epoch_batches(on_device, 0, LEVELS, 0, 40, "crop-flip")
    assert not torch.equal(batch[0], batch[2])  # same order, other augmentation
    ((again, _),) = images.epoch_batches(on_device, 0, LEVELS, 0, 40, "crop-flip")
    assert torch.equal(batch, again)


def test_cosine_ends_above_zero() -> None:
    rates = [counts.learning_rate(0.1, "cosine", float(epoch), 10) for epoch in range(10)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0
    assert counts.learning_rate(0.1, "constant", 9.0, 10) == 0.1
