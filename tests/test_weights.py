import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab import seeds, weights
from masklab.archive import Layer, Recipe
from masklab.errors import ConfigError

SHAPES = [(256, 27), (64, 3, 3, 3), (10, 256), (7,)]


def _drawn(init: str, shape: tuple[int, ...], factor: float = 1.0, seed: int = 0) -> np.ndarray:
    return weights.initial_weights(seed, 0, "layer", shape, init, factor)


@pytest.mark.parametrize(
    ("shape", "fan"), [((64, 3, 3, 3), 27), ((10, 256), 256), ((10, 256, 1, 1), 256), ((7,), 1)]
)
def test_fan_in_is_the_number_of_inputs(shape: tuple[int, ...], fan: int) -> None:
    assert weights.fan_in(shape) == fan


@pytest.mark.parametrize(
    ("scale", "density", "factor"), [("none", 0.3, 1.0), ("kept", 0.3, 0.3), ("reference", 0.3, 0.7)]
)
def test_fan_factor(scale: str, density: float, factor: float) -> None:
    assert weights.fan_factor(scale, density) == factor


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("init", [init for init in weights.WEIGHT_INITS if init != "uniform"])
def test_the_second_moment_is_2_over_the_scaled_fan(init: str, factor: float) -> None:
    drawn = _drawn(init, (2000, 4, 3, 3), factor).astype(float)
    variance = 2 / (36 * factor)
    kurtosis = {"kaiming-normal": 3.0, "kaiming-uniform": 1.8, "signed-constant": 1.0}[init]
    error = variance * math.sqrt((kurtosis - 1) / drawn.size)
    assert abs((drawn**2).mean() - variance) <= 4 * error + 1e-7 * variance
    assert abs(drawn.mean()) < 4 * math.sqrt(variance / drawn.size)


def test_distributions_have_their_shapes() -> None:
    normal = _drawn("kaiming-normal", (500, 40)).astype(float)
    uniform = _drawn("kaiming-uniform", (500, 40)).astype(float)
    bound = math.sqrt(6 / 40)
    assert stats.kstest(normal, stats.norm(scale=math.sqrt(2 / 40)).cdf).pvalue > 1e-3
    assert stats.kstest(uniform, stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3
    assert abs(uniform).max() <= np.float32(bound)


def test_the_reference_scale_is_refused_where_it_would_be_zero() -> None:
    with pytest.raises(ConfigError, match="which is 0 at density 1"):
        weights.fan_factor("reference", 1.0)


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_uniform_weights_do_not_depend_on_the_fan(factor: float) -> None:
    drawn = _drawn("uniform", (500, 40), factor).astype(float)
    assert stats.kstest(drawn, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert np.array_equal(drawn, _drawn("uniform", (40, 500), 1.0).astype(float))


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_signed_constants_have_one_magnitude_and_both_signs(factor: float) -> None:
    drawn = _drawn("signed-constant", (50, 40), factor)
    assert set(np.unique(drawn)) == {sign * np.float32(math.sqrt(2 / (40 * factor))) for sign in (-1, 1)}
    assert abs((drawn > 0).mean() - 0.5) < 4 * 0.5 / math.sqrt(drawn.size)


@pytest.mark.parametrize(
    ("init", "bound"), [("uniform", 1 / math.sqrt(27)), ("kaiming-uniform", math.sqrt(6 / 27))]
)
def test_scores_are_uniform_within_their_bound(init: str, bound: float) -> None:
    drawn = weights.initial_scores(0, 0, "conv1", (640, 3, 3, 3), init).astype(float)
    assert bound * 0.99 < abs(drawn).max() <= np.float32(bound)
    assert stats.kstest(drawn, stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("init", weights.WEIGHT_INITS)
def test_draws_are_flat_float32(init: str, shape: tuple[int, ...]) -> None:
    drawn = _drawn(init, shape)
    assert drawn.dtype == np.float32
    assert drawn.shape == (math.prod(shape),)


DRAWS = {
    "weights": lambda seed, level, layer: weights.initial_weights(
        seed, level, layer, (9, 9), "kaiming-normal", 1.0
    ),
    "scores": lambda seed, level, layer: weights.initial_scores(seed, level, layer, (9, 9), "uniform"),
    "refresh": lambda seed, level, layer: weights.refresh_weights(
        seed, level, layer, 1, (9, 9), "kaiming-normal", 1.0
    )[0],
}


@pytest.mark.parametrize("source", DRAWS)
def test_seed_level_and_layer_each_have_a_draw_of_their_own(source: str) -> None:
    draw = DRAWS[source]
    base = draw(0, 0, "conv1")
    np.testing.assert_array_equal(base, draw(0, 0, "conv1"))
    for changed in ((1, 0, "conv1"), (0, 1, "conv1"), (0, 0, "conv2")):
        assert not np.isin(base, draw(*changed)).any()


def test_refresh_events_differ_from_each_other_and_from_the_initial_draw() -> None:
    draws = [
        weights.refresh_weights(0, 0, "fc1", event, (9, 9), "kaiming-normal", 1.0)[0] for event in (1, 2)
    ]
    draws.append(weights.initial_weights(0, 0, "fc1", (9, 9), "kaiming-normal", 1.0))
    assert len(np.unique(np.concatenate(draws))) == 3 * 81


def test_the_stream_of_a_refresh_goes_on_after_its_draw() -> None:
    drawn, random = weights.refresh_weights(0, 2, "fc1", 3, (4, 5), "kaiming-uniform", 1.0)
    expected = seeds.stream(0, "refresh", 2, "fc1", 3)
    np.testing.assert_array_equal(drawn, weights.draw_weights(expected, (4, 5), "kaiming-uniform", 1.0))
    assert random.random_sample() == expected.random_sample()


def test_weights_never_change() -> None:
    drawn = weights.initial_weights(0, 1, "conv1", (2, 1, 3, 3), "kaiming-normal", 0.5)
    assert [float(value).hex() for value in drawn[:3]] == GOLDEN_WEIGHTS
    scores = weights.initial_scores(0, 1, "conv1", (2, 1, 3, 3), "uniform")
    assert [float(value).hex() for value in scores[:3]] == GOLDEN_SCORES


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    level=st.integers(0, 99),
    shape=st.sampled_from(SHAPES),
    init=st.sampled_from(sorted(weights.WEIGHT_INITS)),
    factor=st.floats(0.01, 1.0),
)
def test_a_stored_recipe_gives_the_same_weights(
    seed: int, level: int, shape: tuple[int, ...], init: str, factor: float
) -> None:
    recipe, layer = Recipe(seed, level, level + 1, init, factor), Layer("fc1", shape, 1)
    np.testing.assert_array_equal(
        recipe.initial(layer), weights.initial_weights(seed, level, "fc1", shape, init, factor)
    )
    np.testing.assert_array_equal(
        recipe.event(layer, 4), weights.refresh_weights(seed, level + 1, "fc1", 4, shape, init, factor)[0]
    )


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: weights.fan_factor("keep", 0.5), "unknown fan_scale 'keep'"),
        (lambda: _drawn("kaiming", (3, 3)), "unknown weight_init 'kaiming'"),
        (lambda: weights.initial_scores(0, 0, "a", (3, 3), "unifrom"), "unknown score_init 'unifrom'"),
    ],
)
def test_unknown_rules_name_the_known_ones(draw: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"{message} .*known: "):
        draw()


GOLDEN_WEIGHTS = ["-0x1.a7dcca0000000p+0", "0x1.67f4ee0000000p-2", "0x1.2954360000000p-2"]
GOLDEN_SCORES = ["-0x1.620a700000000p-3", "0x1.3f6d9c0000000p-2", "0x1.0b28da0000000p-2"]
