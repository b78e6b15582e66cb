"""Splits, normalisation, orders and augmentation."""

import numpy as np
import pytest
import torch

from masklab.data import Data
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


def test_crop_and_flip_against_plain_padding(data: Data) -> None:
    pixels = torch.from_numpy(data.train_images)
    chosen = torch.tensor([[0, 1, 2, 3]])
    moves = torch.tensor([[[4, 4, 0], [0, 8, 0], [8, 3, 1], [4, 4, 1]]])
    moved = images._moved(pixels, chosen, moves)[0].numpy()
    padded = np.pad(data.train_images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    for image, (down, right, flip) in enumerate(moves[0].tolist()):
        expected = padded[image, :, down : down + 6, right : right + 5]
        assert np.array_equal(moved[image], expected[..., ::-1] if flip else expected)


def test_augmentation_follows_its_own_seed(data: Data) -> None:
    on_device = images.on_device(data, 0.0, 0, "cpu")
    ((batch, _),) = images.epoch_batches(on_device, 0, LEVELS, 0, 40, "crop-flip")
    assert not torch.equal(batch[0], batch[2])  # same order, other augmentation
    ((again, _),) = images.epoch_batches(on_device, 0, LEVELS, 0, 40, "crop-flip")
    assert torch.equal(batch, again)


def test_cosine_ends_above_zero() -> None:
    rates = [counts.learning_rate(0.1, "cosine", epoch, 10) for epoch in range(10)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0
    assert counts.learning_rate(0.1, "constant", 9, 10) == 0.1
