"""What surrounds the masks of one training is what the member ended with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from masklab.landscape.questions import chains
from tests.conftest import TinyStudy
from tests.landscape import contexts


def test_snapshots_have_the_final_running_statistics_unless_all_get_their_own(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    network = {"name": "tests.networks.samples:plain", "width": 1.0, "batchnorm": "learned"}
    population = {"pruner": "edge-popup", "members": 1}
    train(tiny(population, network=network, study={"snapshots": [0, 2]}), tmp_path, engine="loop")
    losses = {}
    for statistics in ("keep", "re-estimate"):
        context, evaluator = contexts.of(
            tmp_path, batchnorm_statistics=statistics, interpolation_points=3, paths=["linear"]
        )
        (member,) = context.members["edge-popup-d0.5"]
        masks, walk = chains.plan(context, None)
        state, between = masks.build(range(2)), walk.build(range(2))
        for layer in context.archive.member(member).layers:
            first, last = state[f"{layer.name}.weight"]
            assert not first.equal(last)
        final = context.ends.of(member).around
        assert any(name.endswith("running_var") for name in final)
        for name, values in final.items():
            assert all(own.equal(values) for own in (*state[name], *between[name]))
        outcomes = contexts.outcomes(context, evaluator, [masks, walk])
        rows = chains.found(context, [masks, walk], outcomes).rows["chains"]
        assert {row["statistics"] for row in rows} == {statistics}
        with torch.inference_mode():
            own = state if statistics == "keep" else evaluator.with_statistics(state)
            chances = evaluator.logits(own, context.images.pixels["test"]).log_softmax(dim=2)
        labels = context.images.labels["test"]
        losses[statistics] = outcomes[masks.key].losses["test"]
        expected = -chances[:, range(len(labels)), labels].numpy()
        np.testing.assert_allclose(losses[statistics], expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(losses["keep"], losses["re-estimate"], rtol=1e-2)
