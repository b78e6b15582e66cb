import base64
import io
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from masklab.report import figures, load, style
from masklab.report.figures import bitmaps
from masklab.report.figures.figure import Data

from . import large


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> load.Analysis:
    """1,000 members in ten populations."""
    folder = tmp_path_factory.mktemp("thousand")
    large.build(folder)
    return load.read(folder)


@pytest.mark.parametrize("name", ["accuracy", "distances", "embeddings", "scatter", "consensus"])
def test_figures_of_a_thousand_members_stay_small(name: str, thousand: load.Analysis) -> None:
    theme = style.theme([thousand])
    drawn = figures.ALL[name](thousand, theme, "k")
    assert len(str(drawn.svg)) < 300_000
    said = {
        "accuracy": "n = 1,000 members: every stored member",
        "distances": "means over 3 × 3 neighbouring cells, and no branches of 3 members or fewer",
        "embeddings": "The points of a panel are one bitmap.",
        "scatter": "The points of a panel are one bitmap.",
        "consensus": "",
    }
    assert said[name] in drawn.caption
    if name == "distances":
        assert drawn.data == Data(
            ["id"], [], "The matrix of 1,000 members lies in analysis/overlap.npz (ids, hamming)."
        )
    if name == "accuracy":  # every member is an element of its own, in few groups
        assert str(drawn.svg).count("<use") >= 1000
        assert drawn.data is not None
        assert len(drawn.data.rows) == 1000 + len(thousand.names)


def test_nothing_black_or_white_is_hidden_in_a_bitmap(thousand: load.Analysis) -> None:
    """Bitmaps do not follow the theme: what is drawn in its ink is not part of one."""
    theme = style.theme([thousand])
    ink = [int(style.INK[at : at + 2], 16) for at in (1, 3, 5)]
    for name in ("distances", "embeddings", "scatter"):
        svg = figures.ALL[name](thousand, theme, "k").svg
        assert svg is not None
        images = _images(svg)
        assert images, name
        for pixels in images:
            seen = pixels[pixels[..., 3] > 128][:, :3].astype(int)
            assert (np.abs(seen - ink).sum(axis=1) > 12).all(), name


def _images(svg: Markup) -> list[np.ndarray]:
    found = []
    for part in str(svg).split("data:image/png;base64,")[1:]:
        with Image.open(io.BytesIO(base64.b64decode(part.partition('"')[0]))) as image:
            found.append(np.asarray(image.convert("RGBA")))
    return found


def _svg(pixels: np.ndarray) -> Markup:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    return Markup('<svg><image xlink:href="data:image/png;base64,\n{}"/><path d="M 0 0"/></svg>').format(text)


def test_bitmaps_of_few_colours_stay_exact() -> None:
    random = np.random.RandomState(0)
    palette = random.randint(0, 256, (200, 4)).astype(np.uint8)
    palette[:20, 3] = 0
    pixels = palette[random.randint(0, 200, (40, 50))]
    before = _svg(pixels)
    after = bitmaps.small(before)
    assert len(after) < len(before)
    (found,) = _images(after)
    assert (found[..., 3] == pixels[..., 3]).all()
    seen = pixels[..., 3] > 0
    assert (found[seen] == pixels[seen]).all()
    assert bitmaps.small(after) == after


def test_bitmaps_of_many_colours_stay_near() -> None:
    random = np.random.RandomState(0)
    pixels = np.repeat(np.array([[1, 115, 178, 200], [222, 143, 5, 255]], np.uint8), 2000, axis=0)
    pixels = (pixels[random.permutation(4000)] - random.randint(0, 40, (4000, 4))).clip(1, 255)
    pixels = pixels.astype(np.uint8).reshape(50, 80, 4)
    before = _svg(pixels)
    after = bitmaps.small(before)
    assert len(after) < 0.5 * len(before)
    (found,) = _images(after)
    assert len(np.unique(found.reshape(-1, 4), axis=0)) <= 256
    assert np.abs(found.astype(int) - pixels).mean() < 12


def test_drawings_without_bitmaps_stay_as_they_are() -> None:
    svg = Markup('<svg><path d="M 0 0"/></svg>')
    assert bitmaps.small(svg) == svg


def test_matrices_of_many_populations_show_every_pair_once(tmp_path: Path) -> None:
    large.build(tmp_path, 13, 2, 1)
    analysis = load.read(tmp_path)
    svg = figures.ALL["matrices"](analysis, style.theme([analysis]), "k").svg
    assert svg is not None
    seen = [pixels[..., 3] > 0 for pixels in _images(svg) if pixels.shape[:2] == (13, 13)]
    assert len(seen) == 2
    np.testing.assert_array_equal(seen[0], np.tri(13, dtype=bool))
    np.testing.assert_array_equal(seen[1], np.tri(13, k=-1, dtype=bool))  # none of equal seeds within one
