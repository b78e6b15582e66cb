import numpy as np
import pytest
from scipy import special

from masklab.analysis.diversity import dimension, groups

from .measured import distances_of, random_layers


def masks_of(scores):
    """Half of the weights kept: those of the largest scores."""
    order = np.argsort(np.argsort(scores, axis=1), axis=1)
    return order >= scores.shape[1] // 2


def planted(random, members, size, factors):
    """Masks that depend on a few numbers each."""
    return masks_of(random.standard_normal((members, factors)) @ random.standard_normal((factors, size)))


def counts_of(masks):
    return distances_of([masks]).hamming_count()


@pytest.mark.parametrize("size", [100, 400, 2000])
def test_independent_halves_have_as_many_dimensions_as_weights(size):
    random = np.random.default_rng(size)
    found = dimension.binary(counts_of(masks_of(random.standard_normal((300, size)))))
    assert found == pytest.approx(size, rel=0.1)


def test_free_bits_lie_on_all_counts_and_have_as_many_dimensions():
    counts = counts_of(np.random.default_rng(0).random((300, 300)) < 0.5)
    lattice, shares = dimension._histogram(counts[np.triu_indices(300, 1)])
    assert (np.diff(lattice) == 1).all() and shares.sum() == pytest.approx(1)
    assert dimension.binary(counts) == pytest.approx(300, rel=0.1)


def test_exact_counts_lie_on_even_distances():
    counts = counts_of(masks_of(np.random.default_rng(0).standard_normal((60, 300))))
    lattice, shares = dimension._histogram(counts[np.triu_indices(60, 1)])
    assert (np.diff(lattice) == 2).all() and (lattice % 2 == 0).all()
    retained = np.sort(counts[np.triu_indices(60, 1)])
    assert (shares > 0).sum() == len(np.unique(retained[: len(retained) // 2]))


def test_a_lattice_too_long_is_coarsened_without_moving_the_answer():
    counts = counts_of(planted(np.random.default_rng(0), 60, 3000, 4))
    fine = dimension.binary(counts)
    assert dimension.binary(counts * 50) > 0
    lattice, _ = dimension._histogram(counts[np.triu_indices(60, 1)] * 50)
    assert len(lattice) <= 4097
    dimension_of_coarse = _with_lattice(64, counts)
    assert dimension_of_coarse == pytest.approx(fine, rel=0.1)


def _with_lattice(points, counts):
    before = dimension._LATTICE
    dimension._LATTICE = points
    try:
        return dimension.binary(counts)
    finally:
        dimension._LATTICE = before


@pytest.mark.parametrize("factors", [2, 6, 30])
def test_no_law_near_the_fitted_one_is_more_likely(factors):
    """The likelihood is computed here from binomial coefficients of the retained distances."""
    counts = counts_of(planted(np.random.default_rng(3), 60, 500, factors))
    distances = np.sort(counts[np.triu_indices(60, 1)])
    retained = distances[distances <= distances[(len(distances) + 1) // 2 - 1]]
    lattice = np.arange(retained[0], retained[-1] + 1, 2)
    middle, width = float(retained.mean()), float(lattice[-1] - lattice[0])

    def likelihood(offset, slope):
        def log_law(r):
            bits = 2 * middle + offset * width + slope * (r - middle)
            if (bits < r).any():
                return np.full(len(r), -np.inf)
            return -np.log(bits + 1) - special.betaln(r + 1, bits - r + 1) - bits * np.log(2)

        law = log_law(lattice)
        return log_law(retained).mean() - special.logsumexp(law) if np.isfinite(law).all() else -np.inf

    offset, slope = dimension._fit(*dimension._histogram(distances), middle, width)
    assert dimension.binary(counts) == pytest.approx(2 * middle + offset * width - slope * middle)
    best = likelihood(offset, slope)
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        for step in (0.003, 0.03, 0.1):
            assert likelihood(offset + step * np.cos(angle), slope + step * np.sin(angle)) < best


def test_fewer_factors_have_fewer_dimensions():
    for measure in dimension.METRICS.values():
        found = []
        for factors in (2, 5, 20):
            random = np.random.default_rng(factors)
            found.append(np.median([measure(counts_of(planted(random, 60, 600, factors))) for _ in range(3)]))
        independent = measure(counts_of(masks_of(np.random.default_rng(0).standard_normal((60, 600)))))
        assert (np.diff([*found, independent]) > 0).all()


@pytest.mark.parametrize("factors", [2, 3])
def test_two_nearest_sees_the_dimension_of_a_sphere_twice(factors):
    """A mask depends on the direction of its factors only, and √Hamming is the root of an angle."""
    random = np.random.default_rng(factors)
    found = [dimension.two_nearest(counts_of(planted(random, 300, 8000, factors))) for _ in range(3)]
    assert np.mean(found) == pytest.approx(2 * (factors - 1), rel=0.15)


def test_two_nearest_agrees_with_the_line_through_the_published_points():
    counts = counts_of(np.random.default_rng(5).random((70, 200)) < 0.3)
    apart = np.sqrt(counts + np.diag(np.full(70, 10**9)))
    first, second = np.sort(apart, axis=1)[:, :2].T
    ratio = np.sort(second / first)[:63]
    slope, *_ = np.linalg.lstsq(np.log(ratio)[:, None], -np.log(1 - np.arange(1, 64) / 70), rcond=None)
    assert dimension.two_nearest(counts) == pytest.approx(slope[0], rel=1e-9)


def test_copies_have_no_ratio():
    random = np.random.default_rng(0)
    masks = random.random((60, 200)) < 0.5
    masks[50:] = masks[40:50]
    assert np.isfinite(dimension.two_nearest(counts_of(masks)))
    assert np.isnan(dimension.two_nearest(counts_of(np.repeat(masks[:20], 3, axis=0))))


@pytest.mark.parametrize("masks", [np.ones((50, 30), dtype=bool), np.eye(50, dtype=bool)])
def test_masks_all_equally_far_have_none(masks):
    group = groups.Group("a", "within", [np.arange(50)])
    counts = counts_of(masks)
    for row in dimension.rows(group, counts, [counts]):
        assert row["estimate"]["value"] is None and "too alike" in row["estimate"]["why"]
        assert row["null"] is None


def test_the_dimension_is_over_the_weight_draws_that_have_enough_masks():
    random = np.random.default_rng(0)
    sizes = [np.full(109, 40)]
    counts = distances_of(random_layers(random, sizes, [100])).hamming_count()
    twin = distances_of(random_layers(random, sizes, [100])).hamming_count()
    parts = [np.arange(50), np.arange(50, 60), np.arange(60, 109)]
    for row, measure in zip(
        dimension.rows(groups.Group("a", "within", parts), counts, [twin] * 3),
        dimension.METRICS.values(),
        strict=True,
    ):
        assert row["members"] == row["estimate"]["n"] == 50
        assert row["estimate"]["value"] == pytest.approx(measure(counts[:50, :50]))
        assert row["null"]["mean"] == pytest.approx(measure(twin[:50, :50])) and row["null"]["n"] == 3
        assert row["estimate"]["low"] is None and "spread of the null" in row["estimate"]["why"]
    for row in dimension.rows(groups.Group("a", "within", parts[1:]), counts, [twin]):
        assert row["estimate"]["value"] is None and row["members"] == 59
        assert "at least 50 masks" in row["estimate"]["why"] and "at least 50 masks" in row["why"]
