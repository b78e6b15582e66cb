"""Codecs beside other ways to store masks, loading into packed rows, opening a large directory."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import masklab
from benchmarks import clock
from masklab import bits, networks, stages, study
from masklab.archive import Content, Member, catalogue, codec, directory, encoding, files

DENSITIES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.01)
SIZE = 1_000_000
CONV6_SETTINGS, CIFAR = networks.Settings("conv6"), (3, 32, 32)


class _Method:
    """A way to store a mask: bytes from booleans, and a packed row from bytes."""

    def __init__(self, encode: Callable[[np.ndarray], Any], decode: Callable[[Any], object]) -> None:
        self.encode, self.decode = encode, decode

    def measure(self, mask: np.ndarray, rounds: int) -> tuple[int, float, float]:
        """Bytes, and MB/s of packed bytes for encoding and decoding (best round)."""
        stored = self.encode(mask)
        taken = clock.in_turns(
            {"encode": lambda: self.encode(mask), "decode": lambda: self.decode(stored)}, rounds
        )
        size = len(stored[1]) if isinstance(stored, tuple) else len(stored)
        packed = bits.packed_size(mask.size) / 1e6
        return size, packed / float(taken["encode"].min()), packed / float(taken["decode"].min())


def _methods() -> dict[str, _Method]:
    import pyroaring

    def as_row(positions: np.ndarray) -> np.ndarray:
        mask = np.zeros(SIZE, dtype=bool)
        mask[positions] = True
        return bits.pack(mask)

    def roaring(mask: np.ndarray) -> bytes:
        found = pyroaring.BitMap(np.flatnonzero(mask).astype(np.uint32))
        found.run_optimize()
        return found.serialize()

    def decoded(stored: tuple[str, bytes, int]) -> np.ndarray:
        return codec.decode_mask(stored[0], stored[1], SIZE, stored[2])

    def unzipped(frame: bytes) -> np.ndarray:
        return np.frombuffer(zstandard.ZstdDecompressor().decompress(frame), dtype=np.uint8)

    return {
        "masklab": _Method(lambda mask: (*codec.encode_mask(mask), int(np.count_nonzero(mask))), decoded),
        "raw packed bytes": _Method(
            lambda mask: bits.pack(mask).tobytes(), lambda data: np.frombuffer(data, dtype=np.uint8).copy()
        ),
        "packed bytes, zstd": _Method(
            lambda mask: zstandard.ZstdCompressor(level=1).compress(bits.pack(mask).tobytes()), unzipped
        ),
        "roaring": _Method(
            roaring,
            lambda data: as_row(
                np.frombuffer(pyroaring.BitMap.deserialize(data).to_array(), dtype=np.uint32)
            ),
        ),
        "int32": _Method(
            lambda mask: mask.astype(np.int32).tobytes(),
            lambda data: bits.pack(np.frombuffer(data, dtype=np.int32) != 0),
        ),
    }


def codecs(rounds: int) -> list[str]:
    """A table of its own: size over the entropy bound, and rates, by density and method."""
    methods, random = _methods(), np.random.RandomState(0)
    lines = [
        "| density | " + " | ".join(methods) + " |",
        "|---|" + "---|" * len(methods),
    ]
    for density in DENSITIES:
        kept = bits.kept_count(SIZE, density)
        mask = random.permutation(SIZE) < kept
        bound = codec.entropy_bound(SIZE, kept)
        found = [method.measure(mask, rounds) for method in methods.values()]
        cells = [f"{size / bound:.3f}; {encode:.0f}, {decode:.0f}" for size, encode, decode in found]
        lines.append(f"| {density:g} | " + " | ".join(cells) + " |")
    return lines


def worst_size() -> clock.Row:
    """Largest size over the entropy bound for layers of 10⁵ and 10⁶ weights, densities from 0.01 to 0.5."""
    random, worst = np.random.RandomState(1), (0.0, 0, 0.0)
    for size in (10**5, 10**6):
        for density in np.round(np.arange(0.01, 0.505, 0.01), 2):
            kept = bits.kept_count(size, float(density))
            _, frame = codec.encode_mask(random.permutation(size) < kept)
            worst = max(worst, (len(frame) / codec.entropy_bound(size, kept), size, float(density)))
    ratio, size, density = worst
    value = f"{ratio:.4f} (at density {density:g}, {size:,} weights)"
    return clock.Row("size of a mask ÷ entropy bound, worst of 100", "≤ 1.02", value, "1")


def encoding_rate(rounds: int) -> list[clock.Row]:
    """Encoding all layers of Conv6 on one core."""
    rows = []
    for density, reach in ((0.5, "≥ 100"), (0.05, "≥ 100")):
        masks = _masks(np.random.RandomState(2), density)
        flat = [mask.reshape(-1) for mask in masks.values()]
        taken = clock.in_turns(
            {
                "masklab": lambda flat=flat: [codec.encode_mask(mask) for mask in flat],
                "pack": lambda flat=flat: [bits.pack(mask) for mask in flat],
            },
            rounds,
        )
        size, best = sum(bits.packed_size(mask.size) for mask in flat), float(taken["masklab"].min())
        rows.append(
            clock.Row(
                f"encoding Conv6 at density {density:g}, MB/s of packed bytes (of booleans)",
                reach,
                f"{size / best / 1e6:.0f} ({8 * size / best / 1e6:.0f})",
                f"{size / float(taken['pack'].min()) / 1e6:.0f}: packing the booleans alone",
            )
        )
    return rows


def _masks(random: np.random.RandomState, density: float) -> dict[str, np.ndarray]:
    found = {}
    for layer in networks.describe(CONV6_SETTINGS, CIFAR, 10).layers:
        kept = bits.kept_count(layer.size, density)
        found[layer.name] = (random.permutation(layer.size) < kept).reshape(layer.shape)
    return found


@contextmanager
def stored_study(network: str, width: float, members: int, distinct: int, density: float) -> Iterator[Path]:
    """Directory of a study with so many members; one is trained, the others have its description."""
    with tempfile.TemporaryDirectory() as folder:
        random, root = np.random.RandomState(3), Path(folder)
        images = random.randint(0, 256, (32, 32, 32, 3)).astype(np.uint8)
        labels = np.arange(32) % 10
        np.savez(
            root / "data.npz",
            train_images=images,
            train_labels=labels,
            test_images=images,
            test_labels=labels,
        )
        raw: dict[str, Any] = {
            "study": {"name": "benchmark", "keep_scores": "none"},
            "data": {"name": "arrays", "path": str(root / "data.npz")},
            "network": {"name": network, "width": width},
            "training": {"epochs": 1, "batch_size": 16},
            "population": [{"pruner": "edge-popup", "density": density, "members": 1, "name": "p"}],
        }
        out = root / "study"
        stages.train(study.build(raw), out, jobs=1, device="cpu", engine="loop")
        record = files.read_json(out / directory.STUDY)
        record["populations"][0]["members"] = members
        files.write_json(out / directory.STUDY, record)
        _multiply(out, members, distinct, density)
        yield out


def _multiply(out: Path, members: int, distinct: int, density: float) -> None:
    first = Member(directory.member_path(out, "p", 0))
    written = ("format", "reader", "digest", "base", "layers", "tensors")
    facts = {name: value for name, value in first.facts.items() if name not in written}
    base = first.weights()
    for turn in range(distinct):
        random = np.random.RandomState(turn)
        masks = {
            layer.name: (random.permutation(layer.size) < bits.kept_count(layer.size, density)).reshape(
                layer.shape
            )
            for layer in first.layers
        }
        for index in range(turn, members, distinct):
            content = Content({**facts, "index": index}, first.recipe, masks, {}, base)
            path = directory.member_path(out, "p", index)
            path.write_bytes(encoding.encode(content))  # no fsync: this is not what is measured


def loading(members: int) -> list[clock.Row]:
    """Masks of Conv6 into packed rows, all layers of a thousand members, on one core."""
    rows = []
    for density, reach in ((0.5, "≥ 400"), (0.05, "≥ 100")):
        with stored_study("conv6", 1.0, members, 20, density) as out:
            archive = masklab.open(out)
            stored = sum(path.stat().st_size for path in out.rglob("*.safetensors"))
            first = _seconds(lambda out=out: _load(out))
            again = min(_seconds(lambda out=out: _load(out)) for _ in range(3))
            size = members * sum(bits.packed_size(row["size"]) for row in archive.study["network"]["layers"])
            rows.append(
                clock.Row(
                    f"loading {members} masks of Conv6 at density {density:g} into packed rows, MB/s",
                    reach,
                    f"{size / again / 1e6:.0f} ({size / first / 1e6:.0f} before there is a catalogue)",
                    f"{size / (stored / _sha_rate() + size / _copy_rate()) / 1e6:.0f}: SHA-256 of what is "
                    "stored, and one copy of the rows",
                )
            )
    return rows


def _load(out: Path) -> None:
    archive = masklab.open(out)
    for layer in archive.study["network"]["layers"]:
        archive.packed(layer["name"])


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _sha_rate() -> float:
    data = bytes(2**26)
    return 2**26 / min(_seconds(lambda: hashlib.sha256(data).digest()) for _ in range(5))


def _copy_rate() -> float:
    data = np.ones(2**26, dtype=np.uint8)
    return 2**26 / min(_seconds(data.copy) for _ in range(5))


def opening(members: int) -> list[clock.Row]:
    """The table of a directory of many members: from the files, and from the catalogue."""
    with stored_study("mlp", 0.05, members, 20, 0.5) as out:
        masklab.open(out).members  # noqa: B018  libraries load outside the measurement
        (out / catalogue.NAME).unlink()
        first = _seconds(lambda: masklab.open(out).members)
        again = min(_seconds(lambda: masklab.open(out).members) for _ in range(5))
        read = _seconds(lambda: [path.read_bytes() for path in out.rglob("*.safetensors")])
        shutil.rmtree(out / directory.MEMBERS)
    return [
        clock.Row(
            f"opening {members:,} members (files in the page cache) and making their table, first time",
            "≤ 3 s",
            f"{first:.2f} s",
            f"{read:.2f} s: reading the files",
        ),
        clock.Row("the same from the catalogue", "≤ 0.5 s", f"{again:.2f} s", "one stat per file"),
    ]
