"""Broken member files by the million: each is read or refused with `ArchiveError`, soon and in little memory.

`python -m tests.archive.fuzz --files 1000000 --seed 1 --seconds 3600 --findings DIR`

A file depends on the seed and its number alone. What goes wrong is kept in DIR under both.
"""

import argparse
import contextlib
import copy
import json
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from masklab.archive import Content, Member, encoding
from masklab.errors import ArchiveError

from . import changed, formats, samples

STEP_S = 60.0
"""Seconds that a step may take."""

GROWTH = 2**30
"""Bytes of address space that reading may take."""

MESSAGE = 1000
"""Characters that a message may have, on one line."""

LARGE = 2**21
"""Weights from which a mutated member is opened alone: honest ones of that size take their time, too."""


def _shaped(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: (np.arange(np.prod(shape)) % 9 == 2).reshape(shape) for name, shape in shapes.items()}


def _contents() -> list[Content]:
    """Members with every codec and every origin."""
    plain = samples.content(drawn=_shaped(fc=(20, 30), conv=(4, 2, 3, 3), head=(5, 40)))
    draw = np.random.RandomState(0)
    drawn = {**plain.masks, "fc": draw.random_sample((20, 30)) < 0.1, "head": ~plain.masks["head"]}
    mixed = replace(plain, masks=drawn)
    scores = {name: draw.standard_normal(mask.shape).astype(np.float32) for name, mask in drawn.items()}
    origins = {name: draw.randint(0, 3, mask.size) for name, mask in drawn.items()}
    far = {"fc": draw.randint(0, 600, 600)}
    return [
        *(samples.tiny(), samples.tiny_with_everything()),
        replace(mixed, snapshots={1: plain.masks, 3: drawn}),
        replace(mixed, scores=scores, origins=origins, origin_kind="event"),
        replace(mixed, origins=far, origin_kind="position"),
        replace(mixed, recipe=None, base={"conv": plain.base["conv"]}, origin_kind="stored"),
    ]


def sound_files() -> list[bytes]:
    """The files that are mutated, of both formats."""
    contents = _contents()
    digested = []
    for content in contents:  # whatever the origins lead to becomes what the digest covers
        if content.origins:
            content = replace(content, base=_led_to(content))  # noqa: PLW2901
        digested.append(encoding.encode(content))
    return [*digested, *(formats.format_1(name) for name in formats.FORMAT_1)]


def _led_to(content: Content) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "member"
        path.write_bytes(encoding.encode(content))
        return Member(path).weights(verify=False)


NUMBERS: list[Any] = [
    *(0, 1, 2, 3, 7, 8, 9, 10, 63, 64, 72, 255, 256, 600, 601, 65535, 65536, 2**20),
    *(-1, 2**27 + 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64, 10**30, 10**400, True, False),
    *(0.5, 1.0, -0.0, 1e-300, 1e300, 1e308, float("inf"), float("nan")),
]
TEXTS: list[Any] = [
    *("", "fc", "conv", "head", "x", "..", "../x", "a/b", "\0", "\ud800", "é", "p", "0.1.0"),
    *("bitmap", "gaps", "golomb", "event", "position", "trained", "stored", "absent"),
    *("F32", "F16", "U8", "U16", "BF16"),
    *("kaiming-normal", "uniform", "signed-constant", "mask/fc", "parameter/fc.weight", "buffer/x"),
]
OTHERS: list[Any] = [None, [], {}, [[]], [1], {"a": 1}, {"kind": "event", "width": 2}, [0, 2**70], [1] * 40]


def _mutate_bytes(draw: random.Random, data: bytes, other: bytes, most: int = 4) -> bytes:
    """Flip, set, insert, delete, double, splice or cut, up to `most` times."""
    changing = bytearray(data)
    for _ in range(draw.randint(1, most)):
        at = draw.randrange(len(changing) + 1)
        length = min(draw.choice((1, 1, 2, 4, 8, 64)), len(changing) - at)
        match draw.randrange(7):
            case 0 if length:
                changing[at] ^= 1 << draw.randrange(8)
            case 1 if length:
                changing[at : at + length] = bytes(draw.choice((0, 1, 127, 128, 255)) for _ in range(length))
            case 2:
                changing[at:at] = draw.randbytes(draw.choice((1, 1, 2, 8)))
            case 3:
                del changing[at : at + length]
            case 4:
                changing[at:at] = changing[at : at + length]
            case 5 if other:
                begin = draw.randrange(len(other))
                changing[at : at + length] = other[begin : begin + draw.choice((1, 8, 64))]
            case 6 if draw.random() < 0.3:
                del changing[at:]
    return bytes(changing)


def _places(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        found.append((node, key))
        if isinstance(node[key], dict | list):
            _places(node[key], found)
    return found


def _mutate_document(draw: random.Random, changing: dict[str, Any]) -> dict[str, Any]:
    for _ in range(draw.choice((1, 1, 2, 3))):
        places = _places(changing, [])
        if not places:
            break
        (node, key), (source, name) = draw.choice(places), draw.choice(places)
        match draw.randrange(8):
            case 0:
                del node[key]
            case 1:
                node[key] = copy.deepcopy(source[name])
            case 2 if isinstance(node, dict):
                node[draw.choice(TEXTS)] = copy.deepcopy(source[name])
            case 3 if isinstance(node, list):
                node.insert(key, copy.deepcopy(node[key]))
            case 4 if isinstance(node[key], int):
                node[key] += draw.choice((-1, 1, 8, 256))
            case _:
                node[key] = copy.deepcopy(draw.choice(draw.choice((NUMBERS, NUMBERS, TEXTS, OTHERS))))
    return changing


def _mutate_header(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """Another document, or another text of it, under a header that fits; the tensors stay."""
    text, tensors = _parts(data)
    body = data[len(data) - sum(map(len, tensors.values())) :]
    document = json.loads(text)
    if draw.random() < 0.3:
        text = _mutate_bytes(draw, text.encode(), other).decode(errors="replace")
        with contextlib.suppress(ValueError, RecursionError):  # else the header is that of the old document
            document = json.loads(text)
        return changed.header(document, text) + body
    return changed.header(_mutate_document(draw, document)) + body


@cache
def _parts(data: bytes) -> tuple[str, dict[str, bytes]]:
    document, tensors = changed.parts(data)
    return changed.text_of(document), tensors


def _mutate_frames(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """Other tensors under checksums that fit, packed or unpacked, and at times another document, too."""
    text, tensors = _parts(data)
    document, tensors = json.loads(text), dict(tensors)
    for name in draw.sample(sorted(tensors), min(len(tensors), draw.choice((1, 1, 2)))):
        frame = tensors[name]
        if frame[:4] == b"\x28\xb5\x2f\xfd" and draw.random() < 0.6:
            content = _mutate_bytes(draw, zstandard.decompress(frame), other)
            tensors[name] = zstandard.ZstdCompressor(write_checksum=draw.random() < 0.1).compress(content)
        else:
            tensors[name] = _mutate_bytes(draw, frame, other)
        width = changed.WIDTHS[document["tensors"][name]["dtype"]]
        tensors[name] = tensors[name][: len(tensors[name]) // width * width]
    if draw.random() < 0.2:
        document["layers"] = _mutate_document(draw, {"layers": document["layers"]}).get("layers")
    return changed.forged(document, tensors)


MUTATIONS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    *(_mutate_bytes, _mutate_header, _mutate_header, _mutate_frames, _mutate_frames),
)


def mutated(seed: int, number: int, sound: list[bytes]) -> tuple[str, bytes]:
    """Kind of mutation, and the file of that number."""
    draw = random.Random(f"{seed}-{number}")  # noqa: S311
    mutate = draw.choice(MUTATIONS)
    return mutate.__name__, mutate(draw, draw.choice(sound), draw.choice(sound))


def read(path: Path) -> tuple[str, str]:
    """How far a file was read, and what went wrong: text that is empty when nothing did."""
    opened, wrong = _step(lambda: Member(path))
    if not isinstance(opened, Member):
        return "refused", wrong
    stored = opened
    if wrong or sum(layer.size for layer in stored.layers) > LARGE:
        return "large", wrong
    steps = [stored.verify, lambda: _count(stored), stored.scores, stored.buffers, stored.parameters]
    steps.append(stored.origins)
    steps += [lambda epoch=epoch: stored.snapshot(epoch) for epoch in stored.snapshots]
    ended = [_step(step) for step in steps]
    sound = not any(isinstance(result, Exception) for result, _ in ended)
    return "sound" if sound else "opened", "; ".join(wrong for _, wrong in ended if wrong)


def _count(stored: Member) -> None:
    """Hold masks against their kept counts and shapes."""
    masks = stored.mask()
    found = {name: (mask.shape, int(mask.sum())) for name, mask in masks.items()}
    if found != {layer.name: (layer.shape, layer.kept) for layer in stored.layers}:
        raise ValueError(f"masks of {found}")


def _step(step: Callable[[], object]) -> tuple[object, str]:
    """What a step returned or raised, and what is wrong with that."""
    started, wrong = time.perf_counter(), ""
    try:
        result = step()
    except ArchiveError as error:
        result, said = error, str(error)
        if len(said) > MESSAGE or "\n" in said:
            wrong = f"message of {len(said)} characters: {said[:200]!r}"
    except Exception as error:
        return error, repr(error)
    took = time.perf_counter() - started
    return result, f"a step took {took:.1f} s" if took > STEP_S else wrong


def run(files: int, seed: int, seconds: float, findings: Path, folder: Path) -> Counter[str]:
    """Read mutated files; how many of each kind ended how.

    Args:
        files: How many.
        seed: What they depend on.
        seconds: When to stop before that.
        findings: Folder for what goes wrong; it is made when something does.
        folder: Where the files are written, best in memory.
    """
    sound, path, counts = sound_files(), folder / "member", Counter[str]()
    end = time.monotonic() + seconds
    for number in range(files):
        kind, data = mutated(seed, number, sound)
        path.write_bytes(data)
        reached, wrong = read(path)
        counts[f"{kind}: {reached}"] += 1
        if kind == "_mutate_bytes" and reached == "sound" and data not in sound:
            wrong = "changed bytes are taken for a sound file"
        if wrong:
            counts["findings"] += 1
            findings.mkdir(parents=True, exist_ok=True)
            (findings / f"{seed}-{number}.safetensors").write_bytes(data)
            with (findings / "findings.txt").open("a") as told:
                told.write(f"{seed}-{number} {kind}: {wrong}\n")
        if time.monotonic() > end:
            break
    return counts


def main() -> int:
    """Run as a program; 1 when something was found."""
    parser = argparse.ArgumentParser()
    for name, kind, default in (("files", int, 10_000), ("seed", int, 1), ("seconds", float, 1e9)):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "masklab-fuzz")
    options = parser.parse_args()
    warnings.simplefilter("error")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + GROWTH, size + GROWTH))
    memory, started = Path("/dev/shm"), time.monotonic()  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        counts = run(options.files, options.seed, options.seconds, options.findings, Path(folder))
    total = sum(counts.values()) - counts["findings"]
    took = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = [f"{key}: {count}" for key, count in sorted(counts.items())]
    lines.append(f"{total} files in {took:.0f} s ({total / took:.0f}/s), peak {peak} MB")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if counts["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
