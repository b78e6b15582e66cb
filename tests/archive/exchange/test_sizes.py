"""Sizes are checked before memory is taken, and damage is told in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import torch as safetensors

from masklab.archive import description
from masklab.archive.exchange import containers
from masklab.errors import ArchiveError, MasklabError

from . import samples
from .samples import EYE, npz_bytes, torch_bytes


def test_a_layer_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "LAYER_LIMIT", 8)
    for name, data in {
        "a.npz": npz_bytes(a=np.eye(3) > 0),
        "a.pt": torch_bytes({"a": EYE}),
        "a.safetensors": safetensors.save({"a": EYE}),
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ArchiveError, match="at most 8"):
            samples.take(tmp_path / "out", tmp_path / name)


def test_a_network_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "NETWORK_LIMIT", 8)
    (tmp_path / "a.npz").write_bytes(npz_bytes(a=np.eye(2) > 0, b=np.eye(2) > 0, c=np.eye(2) > 0))
    with pytest.raises(ArchiveError, match="more than 8 numbers together"):
        samples.take(tmp_path / "out", tmp_path / "a.npz")
    (tmp_path / "a.pt").write_bytes(torch_bytes({"a": EYE}))
    with pytest.raises(ArchiveError, match="layers of more than 8 weights together"):
        samples.take(tmp_path / "out", tmp_path / "a.pt")


_VALID = [
    torch_bytes({"a.weight_orig": EYE, "a.weight_mask": EYE, "b": torch.ones(2)}),
    torch_bytes({"a": EYE.int()}, _use_new_zipfile_serialization=False),
    safetensors.save({"a.weight": EYE > 0}),
    npz_bytes(a=np.eye(3) > 0),
]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(_VALID), st.data())
def test_damage_is_an_error_of_one_line_or_another_mask(
    tmp_path: Path, valid: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "foreign").write_bytes(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))
    try:
        foreign, _ = containers.read(tmp_path / "foreign")
    except MasklabError as error:
        assert "\n" not in str(error)
    else:
        assert all(array.size <= 2**20 for array in foreign.arrays.values())
