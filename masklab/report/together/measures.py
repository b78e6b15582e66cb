"""What is drawn of a population, with its chance level and what it rests on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from masklab.report import numbers, records, text
from masklab.report.together.points import Point

_ERROR = "entezari_error"


@dataclass(frozen=True)
class Measure:
    """One number of a population.

    Attributes:
        name: Its name in the data, in the words of `results.json`.
        label: Of the axis.
        said: In a sentence.
        scale: Factor on all values: 100 for percent and points.
        unit: Written after a number in a sentence.
        get: The number; None where it was not measured.
        count: On how many members or pairs it rests.
        noun: What is counted.
        chance: Its chance level; None where that is not known.
        curve: The chance level by density, where it depends on that alone.
        levels: Which of the chance levels of a panel are drawn.
        within: A value that every panel shows.
        digits: Decimals, of some populations.
        note: What it is and what its chance level says, for the caption.
        by_data: Whether panels of different data sets are not comparable.
        breaks: Whether a wide gap between lines is left out.
    """

    name: str
    label: str
    said: str
    scale: float
    unit: str
    get: Callable[[Point], records.Estimate | None]
    count: Callable[[Point], int]
    noun: str
    chance: Callable[[Point], float | None]
    digits: Callable[[Sequence[Point]], int]
    note: Callable[[Sequence[Point]], str]
    curve: Callable[[float], float] | None = None
    levels: Callable[[Sequence[float]], Sequence[float]] = list
    within: float | None = None
    by_data: bool = False
    breaks: bool = False


def _accuracy(point: Point) -> records.Estimate | None:
    row = point.analysis.accuracy(point.name)
    return None if row is None else row.estimate


def _guess(point: Point) -> float | None:
    classes = len(point.analysis.study.data.classes)
    return 1.0 / classes if classes else None


def _test_images(found: Sequence[Point]) -> int:
    return numbers.places(min((point.analysis.study.data.test or 0 for point in found), default=0))


def _accuracy_note(found: Sequence[Point]) -> str:
    levels = numbers.extent([level for point in found if (level := _guess(point)) is not None], 1)
    guessing = f"; guessing gives {levels} % (chance level, dashed where it is near)" if levels else ""
    return f"Mean test accuracy after the last epoch{guessing}."


def _overlap(metric: str) -> Callable[[Point], records.Estimate | None]:
    def get(point: Point) -> records.Estimate | None:
        row = point.analysis.overlap(point.name, point.name, metric)
        return None if row is None else row.estimate

    return get


def _overlap_chance(metric: str) -> Callable[[Point], float | None]:
    def get(point: Point) -> float | None:
        row = point.analysis.overlap(point.name, point.name, metric)
        return None if row is None else row.chance

    return get


def _pairs(point: Point) -> int:
    row = point.analysis.overlap(point.name, point.name, "chance_corrected")
    return 0 if row is None else row.pairs


def _stability(point: Point) -> records.Estimate | None:
    row = point.analysis.stability(point.name)
    return None if row is None else row.estimate


def _barrier(point: Point) -> records.Estimate | None:
    row = point.analysis.path(point.name, point.name)
    return None if row is None else row.barrier.entezari_error


def _walked(point: Point) -> int:
    row = point.analysis.path(point.name, point.name)
    return 0 if row is None else row.pairs


def _noise(point: Point) -> float | None:
    """The barrier of straight paths, by noise in the images alone."""
    row = point.analysis.path(point.name, point.name)
    own = None if row is None else row.over_images.get(_ERROR)
    return None if own is None else own.chance


def _barrier_images(found: Sequence[Point]) -> list[int]:
    rows = (point.analysis.path(point.name, point.name) for point in found)
    return [row.images for row in rows if row is not None]


def _barrier_note(found: Sequence[Point]) -> str:
    digits = numbers.places(min(_barrier_images(found), default=0))
    noise = numbers.extent([level for point in found if (level := _noise(point)) is not None], digits)
    level = (
        f"straight paths would show {noise} points by noise alone (chance level, the largest dashed)"
        if noise
        else "what noise alone would show (chance level) is not known"
    )
    return (
        "Entezari's barrier of the test error on the straight line between effective weights, "
        f"{text.span(_barrier_images(found))} test images, members that share base weights; 0 = no barrier, "
        f"and {level}."
    )


ACCURACY = Measure(
    name="accuracy",
    label="test accuracy, %",
    said="mean test accuracy",
    scale=100.0,
    unit=" %",
    get=_accuracy,
    count=lambda point: point.population.stored,
    noun="member",
    chance=_guess,
    digits=_test_images,
    note=_accuracy_note,
    by_data=True,
    breaks=True,
)
CORRECTED = Measure(
    name="chance_corrected",
    label="chance-corrected overlap",
    said="chance-corrected overlap",
    scale=1.0,
    unit="",
    get=_overlap("chance_corrected"),
    count=_pairs,
    noun="pair",
    chance=lambda _: 0.0,
    digits=lambda _: 3,
    note=lambda _: (
        "Chance-corrected overlap of the masks of two members that share base weights and differ in their "
        "seeds: 0 = chance level (dashed), 1 = identical."
    ),
    within=0.0,
)
SIMILARITY = Measure(
    name="jaccard_similarity",
    label="Jaccard similarity",
    said="Jaccard similarity",
    scale=1.0,
    unit="",
    get=_overlap("jaccard_similarity"),
    count=_pairs,
    noun="pair",
    chance=_overlap_chance("jaccard_similarity"),
    digits=lambda _: 4,
    note=lambda _: (
        "Jaccard similarity of the same masks; dashed: chance level d ÷ (2 − d) of independent masks that "
        "keep the share d of every layer, and a dash at each point whose own chance level is another."
    ),
    curve=lambda density: density / (2.0 - density),
)
STABILITY = Measure(
    name="stability",
    label="stability",
    said="stability",
    scale=1.0,
    unit="",
    get=_stability,
    count=_pairs,
    noun="pair",
    chance=lambda _: 0.0,
    digits=lambda _: 3,
    note=lambda _: (
        "Nogueira's stability of the masks that share base weights: 0 = chance level (dashed), 1 = all equal."
    ),
    within=0.0,
)
BARRIER = Measure(
    name="entezari_error",
    label="barrier, points of test error",
    said="barrier of the test error",
    scale=100.0,
    unit=" points",
    get=_barrier,
    count=_walked,
    noun="pair",
    chance=_noise,
    digits=lambda found: numbers.places(min(_barrier_images(found), default=0)),
    note=_barrier_note,
    levels=lambda levels: [max(levels)] if levels else [],
    within=0.0,
    by_data=True,
)
