"""True classes of the test images, from the data set itself: member files do not hold them.

The data set is loaded by a process of its own: some sources import torch, which the analysis does without,
and all of them hold every image in memory, of which nothing is needed here but the classes.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from masklab import archive as archives
from masklab import data as datasets
from masklab.analysis.function.predictions import Predictions
from masklab.errors import ConfigError, DataError, MasklabError, unknown

Labels = Int64[np.ndarray, " images"]

_PROGRAM = "from masklab.analysis.function import labels; raise SystemExit(labels.serve())"
_REFUSED = 2
_CLOSE = 1e-9  # accuracies are quotients of the same whole numbers


def of(archive: archives.Archive) -> tuple[Labels | None, str]:
    """Classes of a study's test images, in the order of the stored predictions.

    Members are evaluated on `Data.test_images` as it stands, so the order is that of `Data.test_labels`.

    Returns:
        The classes, and an empty text; or None, and why they are not known: the data set was not recorded,
        is not there, cannot be loaded, or has changed.
    """
    described = archive.study["data"]
    name, path, digest = described["name"], described.get("path"), described["digest"]
    if name is None:
        return None, "the data set is not known"
    try:
        if name not in datasets.names():
            raise ConfigError(unknown("data set", name, datasets.names()))
        return _loaded(name, path, digest), ""
    except (ConfigError, DataError) as error:
        return None, f"the true classes are not known: {error}"


def contradiction(predictions: Predictions, labels: Labels) -> str:
    """Which member's stored accuracy is not that of its stored predictions; empty where all agree.

    Args:
        predictions: What members predict.
        labels: The true classes.
    """
    if len(labels) != predictions.images:
        return f"there are {predictions.images} predictions for {len(labels)} test images"
    right = (predictions.classes == labels).sum(axis=1)
    for own, count in zip(predictions.design.ids, right.tolist(), strict=True):
        said = predictions.archive.summaries[own]["row"]["accuracy"]
        if said is not None and abs(count / len(labels) - said) > _CLOSE:
            return f"the predictions of {own} give accuracy {count / len(labels)}, its file says {said}"
    return ""


def _loaded(name: str, path: str | None, digest: str) -> Labels:
    command = [sys.executable, "-P", "-c", _PROGRAM, name, path or "", digest]
    folders = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
    surroundings = {**os.environ, "PYTHONPATH": folders}
    done = subprocess.run(command, env=surroundings, capture_output=True, check=False)  # noqa: S603 – our own program
    if done.returncode == _REFUSED:
        raise DataError(done.stderr.decode())
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DataError(
            f"data set {name!r}: the process that loads it ended with status {done.returncode}"
            + (f" ({said[-1]})" if said else "")
        )
    return np.load(io.BytesIO(done.stdout), allow_pickle=False)


def serve() -> int:
    """Load the data set that this process was asked for, and write its test labels as an npy file.

    Arguments of the process: name, path (empty: none) and content digest. The labels go to standard output,
    a reason why there are none, in one line, to standard error.

    Returns:
        Exit status: 0, or 2 where there are no labels.
    """
    name, path, digest = sys.argv[1:]
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a source prints is not taken for labels
    try:
        loaded = datasets.load(name, path or None)
        if datasets.content_digest(loaded) != digest:
            raise DataError(f"data set {name!r} is not the one that the study was trained on")
    except MasklabError as error:
        sys.stderr.buffer.write(str(error).encode())
        return _REFUSED
    buffer = io.BytesIO()  # a pipe has no position, which NumPy asks for
    np.save(buffer, loaded.test_labels.astype(np.int64))
    with os.fdopen(output, "wb") as stream:
        stream.write(buffer.getvalue())
    return 0
