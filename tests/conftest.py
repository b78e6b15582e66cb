"""What several tests need: a tiny data set of real files, and a tiny study on it."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from masklab_cli import app
from PIL import Image

from masklab import stages, study
from masklab.training.run import Outcome

# what masklab keeps outside a study's directory; set before any test, so that every process inherits it
_OUTSIDE = tempfile.TemporaryDirectory(prefix="masklab-tests-")
os.environ["MASKLAB_CACHE"] = os.environ["MASKLAB_DATA"] = _OUTSIDE.name

CLASSES = ("bars", "<b>dots</b>")


def write_images(folder: Path, train: int = 64, test: int = 32, size: int = 8) -> Path:
    """Noisy grey images of two classes, as PNG files in an image folder."""
    random = np.random.RandomState(0)
    for split, count in (("train", train), ("test", test)):
        for label, name in enumerate(CLASSES):
            (folder / split / name.replace("/", "∕")).mkdir(parents=True)
            for number in range(count // 2):
                pixels = random.randint(0, 120, (size, size))
                pixels[:, ::2] += 100 * (label == 0)
                pixels[2:5, 2:5] += 100 * (label == 1)
                path = folder / split / name.replace("/", "∕") / f"{number}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image folder with 64 training and 32 test images."""
    return write_images(tmp_path_factory.mktemp("data") / "tiny")


Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `masklab …` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["masklab", *map(str, arguments)])
        code: Any = 0
        try:
            app.main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return int(code or 0), out, err

    return run


TinyStudy = Callable[..., study.Study]


@pytest.fixture
def tiny(images: Path) -> TinyStudy:
    """Function from populations (and changes of other tables) to a study of seconds."""

    def make(*populations: dict[str, Any], **tables: dict[str, Any]) -> study.Study:
        raw: dict[str, Any] = {
            "study": {"name": "tiny"},
            "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
            "network": {"name": "mlp", "width": 0.05},
            "training": {"epochs": 4, "batch_size": 16},
            "population": [{"density": 0.5, "members": 2, **population} for population in populations],
        }
        for name, table in tables.items():
            raw[name] = {**raw.get(name, {}), **table}
        return study.build(raw)

    return make


@pytest.fixture
def train() -> Callable[..., Outcome]:
    """`stages.train` in this process."""

    def run(of: study.Study, out: Path, **options: Any) -> Outcome:
        return stages.train(of, out, **{"jobs": 1, "device": "cpu", "engine": "vmap", **options})

    return run


def member_bytes(out: Path) -> dict[str, bytes]:
    """Every member file of a directory, by its path inside."""
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.safetensors")}
