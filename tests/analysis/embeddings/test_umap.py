import multiprocessing

import numpy as np

from masklab.analysis import distances, embeddings

from .. import builder
from .points import apart, noise, points, two_groups


def test_umap_separates_groups_and_is_reproducible_in_another_process(tmp_path):
    archive = builder.build(tmp_path, {"a": [{"fc": mask} for mask in two_groups()]})
    found = distances.measure(archive)
    twins = [noise(12, seed) for seed in range(19)]
    arguments = ("umap", found.ids, found.hamming(), twins, 3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        row, again, degenerate = pool.starmap(
            embeddings.embed,
            [arguments, arguments, ("umap", found.ids[:5], np.zeros((5, 5)), [], 3)],
        )
    assert row is not None and row == again
    assert apart(points(row)) > 2
    assert row["explained"] is None and row["parameters"]["n_neighbors"] == 11
    assert row["parameters"]["init"] == "pcoa" and row["parameters"]["random_state"] == 3
    assert 0 < row["quality"]["stability"] <= 1 and row["null"]["n"] == 19
    assert row["distinguishable"] and row["smallest_p"] == 0.05
    assert degenerate is not None and degenerate["parameters"]["init"] == "random"
    assert np.isfinite(points(degenerate)).all()
