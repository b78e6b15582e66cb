"""Trained studies, small enough to look at every weight of every point of a path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from masklab import pruners, stages, study
from masklab.archive import Archive
from masklab.landscape.ends import Ends

SCORED = [name for name in pruners.names() if pruners.parse(name)[2] is None]

Make = Callable[..., Ends]


@pytest.fixture(scope="session")
def make(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Function from populations to the members of a study of them, on two draws of weights.

    The fan is not scaled, so that densities share base weights.
    """

    def trained(network: dict[str, Any], *populations: dict[str, Any], **head: Any) -> Ends:
        raw: dict[str, Any] = {
            "study": {"name": "paths", **head},
            "seeds": {"weights": 2},
            "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
            "network": network,
            "training": {"epochs": 3, "batch_size": 16, "fan_scale": "none"},
            "population": [{"density": 0.5, "members": 3, **population} for population in populations],
        }
        out = tmp_path_factory.mktemp("paths")
        stages.train(study.build(raw), out, jobs=1, device="cpu", engine="vmap")
        return Ends(Archive(out), "cpu")

    return trained


@pytest.fixture(scope="session")
def small(make: Make) -> Ends:
    """44 weights with learned batch normalisation; every pruner, and controls under both gates."""
    return make(
        {"name": "tests.networks.samples:plain", "batchnorm": "learned"},
        *({"pruner": name, "name": name} for name in SCORED),
        {"pruner": "random", "name": "random"},
        {"pruner": "random", "gate": "biprop", "name": "random-biprop"},
        {"pruner": "magnitude", "name": "magnitude"},
    )


@pytest.fixture(scope="session")
def wide(make: Make) -> Ends:
    """1,045 weights in three layers; rankings, selections and densities that differ."""
    return make(
        {"name": "mlp", "width": 0.05},
        *({"pruner": name, "name": name} for name in ("edge-popup", "biprop", "edge-popup+iterand")),
        {"pruner": "edge-popup", "name": "sparse", "density": 0.3},
        {"pruner": "biprop", "name": "signed", "rank": "signed"},
        {"pruner": "edge-popup", "name": "global", "selection": "global"},
        {"pruner": "biprop", "name": "global-signed", "selection": "global", "rank": "signed"},
        {"pruner": "edge-popup", "name": "global-sparse", "selection": "global", "density": 0.3},
        {"pruner": "random", "name": "random"},
    )
