"""Augmentation of training images on their device; a new augmentation is one entry of `_KNOWN`.

What happens to an image is drawn on the CPU, once per epoch and level of the seed source `augment`, for
all images at once; `apply` then carries it out, batch after batch, on whatever device the images are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from masklab.errors import ConfigError, unknown

_PADDING = 4
_AREA = (0.08, 1.0)  # share of the image's area
_RATIO = (3 / 4, 4 / 3)  # width ÷ height
_ATTEMPTS = 10

Draw = Callable[[np.random.RandomState, int, int, int], np.ndarray]
"""(stream, images, height, width) → whole numbers [images, numbers per image]."""
Apply = Callable[[Tensor, Tensor], Tensor]
"""(uint8 [batch, c, h, w], drawn numbers [batch, numbers]) → [batch, c, h, w], uint8 or float32."""


@dataclass(frozen=True)
class Augmentation:
    """One way to vary training images.

    Attributes:
        draw: Numbers that say what happens to each image of an epoch.
        apply: Does it, in intensity units; the batch that it is given may be overwritten.
    """

    draw: Draw
    apply: Apply


def find(name: str) -> Augmentation | None:
    """An augmentation by its name; None for `"none"`.

    Raises:
        ConfigError: Unknown name.
    """
    if name not in _KNOWN:
        raise ConfigError(unknown("augmentation", name, _KNOWN))
    return _KNOWN[name]


def names() -> tuple[str, ...]:
    """Every augmentation, the one that does nothing first."""
    return tuple(_KNOWN)


def _draw_flips(
    random: np.random.RandomState, images: int, height: int, width: int
) -> Int64[np.ndarray, "images 1"]:
    """1 where an image is flipped."""
    del height, width
    return random.randint(0, 2, (images, 1))


def _draw_crop_flip(
    random: np.random.RandomState, images: int, height: int, width: int
) -> Int64[np.ndarray, "images 3"]:
    """First row and column of the window in the padded image (0 … 2·padding), and flip."""
    shifts = random.randint(0, 2 * _PADDING + 1, (images, 2))
    return np.concatenate([shifts, _draw_flips(random, images, height, width)], axis=1)


def _draw_resized_crop_flip(
    random: np.random.RandomState, images: int, height: int, width: int
) -> Int64[np.ndarray, "images 5"]:
    """Top, left, height and width of the window, and flip.

    Each image has 10 attempts, all of them drawn, of which the first that fits counts; where none does,
    the window is the largest central one of an allowed ratio.

    Source: Szegedy et al., Going deeper with convolutions (CVPR 2015), as torchvision's
    `RandomResizedCrop` does it.
    """
    area = height * width * (_AREA[0] + (_AREA[1] - _AREA[0]) * random.random_sample((_ATTEMPTS, images)))
    log_low, log_high = np.log(_RATIO)
    ratio = np.exp(log_low + (log_high - log_low) * random.random_sample((_ATTEMPTS, images)))
    windows = np.rint(np.sqrt([area / ratio, area * ratio])).astype(np.int64)  # [2, attempts, images]
    limits = np.array([height, width])
    fits = np.all((windows > 0) & (windows <= limits[:, None, None]), axis=0)
    first, any_fits = np.argmax(fits, axis=0), np.any(fits, axis=0)
    size = np.where(any_fits, windows[:, first, np.arange(images)], _central(height, width)[:, None]).T
    free = limits - size  # [images, 2]
    corner = np.floor(random.random_sample((images, 2)) * (free + 1)).astype(np.int64)
    corner = np.where(any_fits[:, None], corner, free // 2)
    return np.concatenate([corner, size, _draw_flips(random, images, height, width)], axis=1)


def _central(height: int, width: int) -> Int64[np.ndarray, "2"]:
    """Height and width of the largest window of an allowed ratio."""
    low, high = _RATIO
    if width < low * height:
        return np.array([round(width / low), width])
    if width > high * height:
        return np.array([height, round(height * high)])
    return np.array([height, width])


def _draw_padded_resized_crop_flip(
    random: np.random.RandomState, images: int, height: int, width: int
) -> Int64[np.ndarray, "images 5"]:
    """As `_draw_resized_crop_flip` on the padded image; top and left are relative to the image itself."""
    drawn = _draw_resized_crop_flip(random, images, height + 2 * _PADDING, width + 2 * _PADDING)
    drawn[:, :2] -= _PADDING
    return drawn


def _flip(
    images: Shaped[Tensor, "batch c h w"], drawn: Int64[Tensor, "batch 1"]
) -> Shaped[Tensor, "batch c h w"]:
    """Mirror images left to right where drawn is 1."""
    return (_flip_in_memory if _in_memory(images) else _flip_anywhere)(images, drawn[:, 0])


def _in_memory(images: Tensor) -> bool:
    return images.device.type == "cpu"


def _flip_in_memory(
    images: Shaped[Tensor, "batch c h w"], flips: Int64[Tensor, " batch"]
) -> Shaped[Tensor, "batch c h w"]:
    """As `_flip_anywhere`, over the images themselves, by NumPy: 4× as fast on a CPU."""
    pixels, chosen = images.numpy(), flips.numpy() == 1
    pixels[chosen] = pixels[chosen][..., ::-1]
    return images


def _flip_anywhere(
    images: Shaped[Tensor, "batch c h w"], flips: Int64[Tensor, " batch"]
) -> Shaped[Tensor, "batch c h w"]:
    return torch.where(flips.view(-1, 1, 1, 1) == 1, images.flip(-1), images)


def _crop_flip(
    images: UInt8[Tensor, "batch c h w"], drawn: Int64[Tensor, "batch 3"]
) -> UInt8[Tensor, "batch c h w"]:
    """Cut a window of the original size out of the zero-padded image, and flip it where drawn."""
    cut = _window_in_memory if _in_memory(images) else _window_anywhere
    return _flip(cut(_windows(images), drawn), drawn[:, 2:])


def _windows(images: UInt8[Tensor, "batch c h w"]) -> UInt8[Tensor, "batch c down right h w"]:
    """Every window of the zero-padded image: a view, by its first row and column."""
    height, width = images.shape[-2:]
    return functional.pad(images, (_PADDING,) * 4).unfold(2, height, 1).unfold(3, width, 1)


def _window_in_memory(
    windows: UInt8[Tensor, "batch c down right h w"], drawn: Int64[Tensor, "batch 3"]
) -> UInt8[Tensor, "batch c h w"]:
    """As `_window_anywhere`, by NumPy: 5× as fast on a CPU."""
    down, right, _ = drawn.numpy().T
    return torch.from_numpy(windows.numpy()[np.arange(len(down)), :, down, right])


def _window_anywhere(
    windows: UInt8[Tensor, "batch c down right h w"], drawn: Int64[Tensor, "batch 3"]
) -> UInt8[Tensor, "batch c h w"]:
    return windows[torch.arange(len(drawn), device=drawn.device), :, drawn[:, 0], drawn[:, 1]]


def _resized_crop_flip(
    images: UInt8[Tensor, "batch c h w"], drawn: Int64[Tensor, "batch 5"]
) -> Float[Tensor, "batch c h w"]:
    """Stretch a window to the size of the image, bilinearly, and flip it where drawn.

    The window may reach over the image's edge, where everything is 0; what is sampled near the window's
    own edge is the edge.
    """
    height, width = images.shape[-2:]
    top, left, rows, columns, flip = drawn.unbind(1)
    down = _positions(top, rows, height)
    right = _positions(left, columns, width)
    right = torch.where(flip[:, None] == 1, right.flip(-1), right)
    # grid_sample places pixel i of n at (2i + 1) ÷ n − 1
    vertical, horizontal = (2 * down + 1) / height - 1, (2 * right + 1) / width - 1
    grid = torch.stack(torch.broadcast_tensors(horizontal[:, None, :], vertical[:, :, None]), dim=-1)
    return functional.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _positions(
    first: Int64[Tensor, " batch"], length: Int64[Tensor, " batch"], samples: int
) -> Float[Tensor, "batch samples"]:
    """Where the centres of equal parts of a window lie, in pixels of the image, kept inside the window."""
    centres = torch.arange(samples, device=first.device, dtype=torch.float32) + 0.5
    inside = centres * (length / samples)[:, None] - 0.5
    return first[:, None] + torch.minimum(inside.clamp(min=0), length[:, None] - 1.0)


_KNOWN: Mapping[str, Augmentation | None] = {
    "none": None,
    "flip": Augmentation(_draw_flips, _flip),
    "crop-flip": Augmentation(_draw_crop_flip, _crop_flip),
    "resized-crop-flip": Augmentation(_draw_resized_crop_flip, _resized_crop_flip),
    "padded-resized-crop-flip": Augmentation(_draw_padded_resized_crop_flip, _resized_crop_flip),
}
