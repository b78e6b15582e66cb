"""Bitmaps inside a drawing with no more colours than a palette has, which takes a third of the bytes."""

import base64
import io
import re
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup

if TYPE_CHECKING:
    from PIL import Image

_EMBEDDED = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=\s]+")
_COLOURS = 256

Pixels = UInt8[np.ndarray, "height width 4"]


def small(drawing: Markup) -> Markup:
    """The same SVG, its bitmaps with at most 256 colours, exact where they have no more than that.

    Args:
        drawing: With bitmaps as PNG in base64.
    """
    return Markup(_EMBEDDED.sub(lambda found: _shrunk(found.group()), drawing))  # noqa: S704  base64 for base64


def _shrunk(text: str) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        pixels = np.asarray(image.convert("RGBA"))
    # what cannot be seen has one colour, not many
    pixels = np.where(pixels[..., 3:] == 0, np.uint8(0), pixels)
    buffer = io.BytesIO()
    _indexed(pixels).save(buffer, "PNG", optimize=True)
    return min(base64.b64encode(buffer.getvalue()).decode(), "".join(text.split()), key=len)


def _indexed(pixels: Pixels) -> "Image.Image":
    """An image with a palette."""
    from PIL import Image

    flat = np.ascontiguousarray(pixels).view(np.uint32)[..., 0]
    colours, places = np.unique(flat, return_inverse=True)
    if len(colours) > _COLOURS:
        return Image.fromarray(pixels).quantize(_COLOURS, Image.Quantize.FASTOCTREE)
    indexed = Image.fromarray(places.reshape(flat.shape).astype(np.uint8), "P")
    indexed.putpalette(colours.view(np.uint8).tobytes(), "RGBA")
    return indexed
