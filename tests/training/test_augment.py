"""What each augmentation draws, and what it does, against torchvision."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import RandomResizedCrop, functional

from masklab import seeds
from masklab.data import augmentations
from masklab.errors import ConfigError
from masklab.training import augment

RESIZED = ("resized-crop-flip", "padded-resized-crop-flip")
GOLDEN = {
    "flip": [[1], [0], [1]],
    "crop-flip": [[2, 5, 0], [7, 4, 0], [1, 5, 0]],
    "resized-crop-flip": [[2, 1, 20, 22, 1], [12, 7, 12, 15, 1], [3, 8, 13, 11, 0]],
    "padded-resized-crop-flip": [[-1, -2, 25, 28, 1], [11, 4, 15, 19, 1], [0, 6, 17, 13, 0]],
}
SIDES = st.integers(1, 40)


def _known(name: str) -> augment.Augmentation:
    found = augment.find(name)
    assert found is not None
    return found


def _pixels(count: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    random = np.random.RandomState(count)
    return torch.from_numpy(random.randint(0, 256, (count, channels, height, width)).astype(np.uint8))


def test_the_names_that_a_study_may_use_are_those_that_exist() -> None:
    assert augment.names() == augmentations.NAMES
    assert augment.find("none") is None


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown augmentation 'flop' \(did you mean 'flip'\?\); known: "):
        augment.find("flop")


def test_flip() -> None:
    pixels = _pixels(4, 3, 5)
    flipped = _known("flip").apply(pixels.clone(), torch.tensor([[1], [0], [0], [1]]))
    for image, (before, after) in enumerate(zip(pixels.numpy(), flipped.numpy(), strict=True)):
        np.testing.assert_array_equal(after, before[..., ::-1] if image in (0, 3) else before)


def test_crop_and_flip_against_plain_padding() -> None:
    pixels = _pixels(4, 6, 5)
    moves = torch.tensor([[4, 4, 0], [0, 8, 0], [8, 3, 1], [4, 4, 1]])
    moved = _known("crop-flip").apply(pixels.clone(), moves).numpy()
    padded = np.pad(pixels.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)))
    for image, (down, right, flip) in enumerate(moves.tolist()):
        expected = padded[image, :, down : down + 6, right : right + 5]
        np.testing.assert_array_equal(moved[image], expected[..., ::-1] if flip else expected)


@settings(deadline=None, max_examples=30)
@given(height=SIDES, width=SIDES, channels=st.sampled_from([1, 3]), seed=st.integers(0, 2**32 - 1))
def test_what_numpy_does_on_cpus_is_what_torch_does_anywhere(
    height: int, width: int, channels: int, seed: int
) -> None:
    pixels = _pixels(5, height, width, channels)
    drawn = torch.from_numpy(_known("crop-flip").draw(np.random.RandomState(seed), 5, height, width))
    windows = augment._windows(pixels)
    assert torch.equal(augment._window_in_memory(windows, drawn), augment._window_anywhere(windows, drawn))
    flips = drawn[:, 2]
    expected = augment._flip_anywhere(pixels, flips)
    assert torch.equal(augment._flip_in_memory(pixels.clone(), flips), expected)


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(RESIZED), height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1))
def test_resized_crops_against_torchvision(name: str, height: int, width: int, seed: int) -> None:
    pixels = _pixels(4, height, width)
    drawn = _known(name).draw(np.random.RandomState(seed), 4, height, width)
    got = _known(name).apply(pixels, torch.from_numpy(drawn))
    padding = 4 if name.startswith("padded") else 0
    for image, cropped, (top, left, rows, columns, flip) in zip(pixels, got, drawn.tolist(), strict=True):
        padded = functional.pad(image.float(), [padding])
        expected = functional.resized_crop(
            padded, top + padding, left + padding, rows, columns, [height, width], antialias=False
        )
        expected = functional.hflip(expected) if flip else expected
        torch.testing.assert_close(cropped, expected, atol=0.01, rtol=0)  # of 255


def test_a_crop_never_shows_what_lies_outside_of_it() -> None:
    pixels = torch.full((1, 1, 9, 9), 255, dtype=torch.uint8)
    pixels[:, :, 2:6, 3:8] = 10
    drawn = torch.tensor([[2, 3, 4, 5, 0]])
    got = _known("resized-crop-flip").apply(pixels, drawn)
    torch.testing.assert_close(got, torch.full((1, 1, 9, 9), 10.0), atol=1e-3, rtol=0)


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(RESIZED), height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1))
def test_windows_lie_in_the_image_or_its_padding(name: str, height: int, width: int, seed: int) -> None:
    drawn = _known(name).draw(np.random.RandomState(seed), 50, height, width)
    padding = 4 if name.startswith("padded") else 0
    top, left, rows, columns, flip = drawn.T
    assert drawn.dtype == np.int64
    assert (rows >= 1).all() and (columns >= 1).all()
    assert (top >= -padding).all() and (top + rows <= height + padding).all()
    assert (left >= -padding).all() and (left + columns <= width + padding).all()
    assert set(flip) <= {0, 1}


@pytest.mark.parametrize(("height", "width"), [(32, 32), (28, 28), (12, 20), (40, 9), (5, 5)])
@pytest.mark.parametrize("name", RESIZED)
def test_windows_are_distributed_as_torchvisions(name: str, height: int, width: int) -> None:
    """Means, and means of squares and products, within 5 standard errors of the difference."""
    images, padding = 4000, 4 if name.startswith("padded") else 0
    ours = _known(name).draw(np.random.RandomState(0), images, height, width)[:, :4]
    ours[:, :2] += padding
    empty = torch.empty(1, height + 2 * padding, width + 2 * padding)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [RandomResizedCrop.get_params(empty, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(images)]
    theirs = np.array(drawn)

    def moments(windows: np.ndarray) -> np.ndarray:
        return np.concatenate([windows, (windows[:, :, None] * windows[:, None, :]).reshape(images, -1)], 1)

    first, second = moments(ours), moments(theirs)
    error = np.sqrt((first.var(0) + second.var(0)) / images)
    assert (np.abs(first.mean(0) - second.mean(0)) <= 5 * error + 1e-9).all()


@pytest.mark.parametrize(("height", "width"), [(1, 64), (64, 1), (2, 100), (100, 3)])
def test_where_nothing_fits_the_window_is_the_central_one(height: int, width: int) -> None:
    drawn = _known("resized-crop-flip").draw(np.random.RandomState(1), 200, height, width)
    expected = RandomResizedCrop.get_params(torch.empty(1, height, width), [1.0, 1.0], [3 / 4, 4 / 3])
    assert (drawn[:, :4] == expected).all()


@pytest.mark.parametrize("name", [name for name in augmentations.NAMES if name != "none"])
def test_half_of_the_images_are_flipped(name: str) -> None:
    flips = _known(name).draw(np.random.RandomState(0), 10_000, 32, 32)[:, -1]
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / 100


@pytest.mark.parametrize(("column", "low", "high"), [(0, 0, 8), (1, 0, 8)])
def test_shifts_are_uniform(column: int, low: int, high: int) -> None:
    shifts = _known("crop-flip").draw(np.random.RandomState(0), 9000, 32, 32)[:, column]
    counts = np.bincount(shifts, minlength=high + 1)
    assert (shifts.min(), shifts.max()) == (low, high)
    assert (np.abs(counts - 1000) < 5 * np.sqrt(1000)).all()


@pytest.mark.parametrize("name", GOLDEN)
def test_draws_never_change(name: str) -> None:
    drawn = _known(name).draw(seeds.stream(0, "augment", 1, event=2), 3, 32, 32)
    assert drawn.tolist() == GOLDEN[name]
