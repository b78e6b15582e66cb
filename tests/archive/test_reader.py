"""The reader in docs/format.md, run where masklab cannot be imported."""

import ast
import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from masklab import seeds
from masklab.archive import Content, Member, codec, container, description, golomb, member

from . import changed, samples

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"

PROGRAM = """
import sys
sys.modules["masklab"] = None  # any import of it fails
{reader}
for path in sys.argv[1:]:
    np.savez(path + ".npz", **read_masks(path))
assert not any(name.startswith(("masklab.", "torch")) for name in sys.modules)
"""


def _reader() -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), flags=re.DOTALL | re.MULTILINE)
    return code


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", PROGRAM.format(reader=_reader()), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_reader_is_short_and_needs_three_packages() -> None:
    code = _reader()
    assert len(code.splitlines()) <= 30
    imported = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert imported == {"hashlib", "json", "numpy", "safetensors", "zstandard"}


def _masks() -> dict[str, np.ndarray]:
    """Layer → mask: every codec, complements, odd sizes, all, none and one."""
    random = np.random.RandomState(0)
    masks = {}
    for size in (1, 7, 8, 9, 63, 1001, 40_000):
        for share in (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.28, 0.5, 0.51, 0.75, 0.9, 0.999, 1.0):
            masks[f"{size}-{share}"] = random.permutation(size) < round(share * size)
    at = np.arange(70_001)
    masks["regular"] = at % 300 == 299
    masks["irregular"] = at % 300 != 299
    masks["far"] = np.isin(at, (0, 255, 254 + 256, 66_000))
    masks["conv"] = (random.permutation(3 * 5 * 7 * 11) < 80).reshape(3, 5, 7, 11)
    masks["scalar"] = np.ones((), dtype=bool)
    return masks


def _written(path: Path, masks: Mapping[str, np.ndarray]) -> None:
    """A member file of masks alone."""
    facts = {"population": "p", "index": 0}
    member.write(path, Content(facts=facts, recipe=None, masks=masks, gains={}, base={}))


def test_the_reader_reads_what_masklab_reads(tmp_path: Path) -> None:
    paths = [tmp_path / "chosen", *(tmp_path / used for used in codec.CODECS)]
    masks = _masks()
    _written(paths[0], masks)
    frames = {layer.codec for layer in Member(paths[0]).layers}
    assert frames == set(codec.CODECS)
    for path in paths[1:]:  # every mask in every codec, whichever is the smallest
        document, tensors = changed.parts(paths[0].read_bytes())
        for layer in document["layers"]:
            layer["codec"] = path.name
            tensors[f"mask/{layer['name']}"] = _frame(masks[layer["name"]].reshape(-1), path.name)
        path.write_bytes(changed.forged(document, tensors))
    everything = tmp_path / "everything"
    member.write(everything, samples.tiny_with_everything())
    done = _run(tmp_path, *map(str, [*paths, everything]))
    assert (done.returncode, done.stderr) == (0, "")
    for path in [*paths, everything]:
        stored = Member(path)
        stored.verify()
        expected = stored.mask()
        if path != everything:
            assert path == paths[0] or {layer.codec for layer in stored.layers} == {path.name}
            assert all(np.array_equal(expected[name], mask) for name, mask in masks.items())
        with np.load(f"{path}.npz") as found:
            assert list(found) == list(expected)
            for name, mask in expected.items():
                np.testing.assert_array_equal(found[name], mask)
                assert found[name].dtype == np.bool_


def _frame(mask: np.ndarray, used: str) -> bytes:
    if used == "bitmap":
        return codec._compress(np.packbits(mask, bitorder="little").tobytes())
    listed = ~mask if 2 * int(mask.sum()) > mask.size else mask
    gaps = np.diff(np.flatnonzero(listed), prepend=-1) - 1
    return golomb.encode(gaps) if used == "golomb" else codec._compress(codec._escaped(gaps).tobytes())


def test_the_reader_finds_damage(tmp_path: Path) -> None:
    path = tmp_path / "member"
    _written(path, samples.tiny().masks)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # in the mask
    path.write_bytes(data)
    done = _run(tmp_path, str(path))
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: mask/fc is damaged\n")


def test_the_examples_of_the_document_are_true() -> None:
    text = DOCUMENT.read_text()
    rows = re.findall(
        r"(\d+) weights, kept ([\d ]+\d)(?:: | have gaps).*?frame `([0-9a-f ]+)`", text, flags=re.DOTALL
    )
    assert len(rows) == 4
    for (size, kept, frame), used in zip(rows, ("bitmap", "gaps", "golomb", "golomb"), strict=True):
        mask = np.isin(np.arange(int(size)), [int(at) for at in kept.split()])
        assert _frame(mask, used) == bytes.fromhex(frame)


def test_the_numbers_of_the_document_are_masklabs() -> None:
    text = DOCUMENT.read_text()
    assert text.startswith(f"# Member files, format {container.FORMATS[-1]}\n")
    assert container.HEADER_LIMIT == 16 * 2**20
    assert (container.AXES_LIMIT, description.TENSOR_LIMIT) == (32, 2**29)
    assert (description.LAYER_LIMIT, description.NETWORK_LIMIT, member.DRAW_LIMIT) == (2**27, 2**30, 2**33)
    for limit in ("16 MiB", "32 axes, 2²⁹ bytes", "2²⁷ weights", "2³⁰ weights together", "2³³"):
        assert f"| {limit}" in text or f"; {limit}" in text
    for used in codec.CODECS:
        assert f"| `{used}` |" in text
    kinds = (*description.HELD, description.ABSENT)
    assert all(f'"kind": "{kind}", "width": 0' in text for kind in kinds)


@pytest.mark.parametrize("init", ["kaiming-normal", "kaiming-uniform", "signed-constant", "uniform"])
def test_base_weights_are_drawn_as_the_document_says(init: str) -> None:
    layer, recipe = description.Layer("fc.0", (20, 6, 5), 1), replace(samples.RECIPE, init=init)
    for source, level, event in (("weights", 1, 0), ("refresh", 2, 7)):
        path = "\0".join(("masklab", "5", source, str(level), "fc.0", str(event)))
        key = np.frombuffer(hashlib.sha256(path.encode()).digest()[:16], dtype="<u8")
        random, fan = np.random.RandomState(np.random.Philox(key=key)), 0.5 * 30
        if init in ("kaiming-normal", "signed-constant"):
            normal = random.standard_normal(600)
            drawn = normal if init == "kaiming-normal" else np.where(normal < 0, -1, 1)
            drawn = drawn * np.sqrt(2 / fan)
        else:
            drawn = (2 * random.random_sample(600) - 1) * (np.sqrt(6 / fan) if init != "uniform" else 1)
        found = recipe.event(layer, 7) if event else recipe.initial(layer)
        np.testing.assert_array_equal(found, drawn.astype(np.float32))
    assert f"| `{init}` |" in DOCUMENT.read_text()
    assert {"weights", "refresh"} <= set(seeds.SOURCES)
