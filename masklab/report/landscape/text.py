"""How the landscape was measured, in sentences that cite their sources."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from masklab.report import load, numbers, sources, text
from masklab.report.landscape import rows

PATHS = {
    "linear": "linear: effective weights at t are (1 − t) times those of one member plus t times the other's",
    "geodesic": "geodesic: the differing bits flip one after the other, in random order over the whole mask",
    "geodesic-swap": "geodesic-swap: in each layer, a bit that only the first keeps is swapped for one that "
    "only the second keeps, in random order, so that every layer keeps its density",
    "ranked": "ranked: as geodesic, but in order of score, layer by layer: the first member's weakest leave "
    "first, the second's strongest arrive first",
    "bernoulli": "bernoulli: each differing bit comes from the second member with probability t, drawn anew "
    "at every t",
    "scores": "scores: scores are interpolated and the recipe's selection is applied to them",
}
"""What moves along a path that this version knows."""

_PATH_SOURCES = {
    "linear": "frankle2020linear",
    "bernoulli": "sreenivasan2022gems",
    "scores": "sreenivasan2022gems",
}

NEEDS = {
    "geodesic-swap": "equal kept counts in every layer",
    "ranked": "scores that were kept",
    "scores": "scores that were kept, one gate and one set of base weights",
}
"""What members must have that a path can join."""

RULES = {
    "weights": "effective weights",
    "mask": "rule applied to masks",
    "effective": "effective values of one end each",
    "mixed": "differs by pair",
}

WEIGHTS = {
    "own": "their own",
    "same-draw": "another member's, from the same draw",
    "other-draw": "another draw of the study",
    "fresh": "a draw that no member has",
    "random": "their own, random mask",
}
"""Base weights that masks were put on, in words."""

_FLIPS = {
    "random": "at random",
    "swap": "in pairs at random, so that every layer keeps its density",
    "margin": "those first whose scores are nearest to the threshold that decided about them",
    "layer": "a tenth of one layer's bits, in pairs at random",
}
"""Which bits a neighbourhood flips, in words."""

_SPLITS = {"train": "training"}

_STATISTICS = {
    "none": "the network has no running statistics",
    "keep": "running statistics are the ends' own, interpolated between them",
    "re-estimate": "running statistics were re-estimated for every network",
}


def statistics(found: Iterable[rows.Row]) -> str:
    """What was done about running statistics, as part of a sentence."""
    return " and ".join(dict.fromkeys(_STATISTICS[row.statistics] for row in found))


def chance(found: Iterable[rows.Row]) -> str:
    """The chance level of accuracies on the images that were used, as part of a sentence."""
    said = numbers.extent([row.chance for row in found], 1)
    return f"chance level {said} %, that of always the most common class"


def in_order(names: Iterable[str]) -> list[str]:
    """Names of paths, each once: known ones as they are explained here, then the others.

    Examples:
        >>> in_order(["scores", "new", "linear", "scores"])
        ['linear', 'scores', 'new']
    """
    found = dict.fromkeys(names)
    return [name for name in dict.fromkeys([*PATHS, *found]) if name in found]


def nothing(analysis: load.Analysis) -> str:
    """Why no landscape was measured; empty where it was."""
    if analysis.results.landscape_work is not None:
        return ""
    if analysis.results.populations and all(own.imported for own in analysis.results.populations):
        return "Unknown (imported): what network and data the masks are for."
    return "The landscape between masks was not measured: no accuracy on paths, in neighbourhoods or planes."


def lacking(analysis: load.Analysis, walked: Mapping[str, Sequence[str]]) -> str:
    """Which paths were not walked within which populations, and why, in sentences; empty where all were.

    Args:
        analysis: What is shown.
        walked: Path → populations within which it was walked.
    """
    work = analysis.results.landscape_work
    if work is None:
        return ""
    every = {name for own in walked.values() for name in own}
    absent, partly = [], []
    for path in PATHS if work.paths is None else work.paths:
        needs = f"{path} (needs {NEEDS[path]})" if path in NEEDS else path
        without = [name for name in analysis.names if name in every - set(walked.get(path, ()))]
        if path not in walked:
            absent.append(needs)
        elif without:
            partly.append(f"{needs}: {', '.join(without)}")
    unasked = [] if work.paths is None else [path for path in PATHS if path not in work.paths]
    parts = {"Walked within no population": absent, "No line": partly, "Not asked for": unasked}
    return " ".join(f"{said}: {'; '.join(own)}." for said, own in parts.items() if own)


def measured(analysis: load.Analysis) -> bool:
    """Whether a landscape was measured."""
    return analysis.results.landscape_work is not None


def parts(analysis: load.Analysis) -> list[tuple[str, Iterable[str]]]:
    """Titles, and sentences on what was measured of the landscape."""
    work = analysis.results.landscape_work
    if work is None:
        return []
    return [
        ("Landscape", _work(work)),
        ("Paths", _paths(analysis, work)),
        ("Neighbourhoods, sets and planes", _points(analysis)),
    ]


def _work(work: rows.Work) -> Iterator[str]:
    images = " and ".join(f"{number:,} {_SPLITS.get(split, split)}" for split, number in work.images.items())
    yield (
        f"{work.networks:,} networks between and around masks were evaluated on {images} images, "
        f"{work.evaluations:,} evaluations (networks × images) of a budget of {work.budget:,}: "
        f"{work.source}. Questions draw fewer pairs, members or sets where the budget is small, and larger "
        f"samples contain smaller ones. Engine {work.engine} on {work.device}. The chance level of an "
        "accuracy is that of always naming the most common class."
    )
    if work.statistics == "keep":
        yield f"Batch normalisation: {_STATISTICS['keep']}."
    if work.statistics == "re-estimate":
        yield (
            f"Batch normalisation: {_STATISTICS['re-estimate']}, members included, as plain means over "
            f"{numbers.count(work.batches, 'batch', 'batches')} of training images "
            f"({work.statistics_images:,} images) {sources.cite('jordan2023repair')}."
        )
    stored = work.stored_predictions
    if stored.members:
        yield (
            f"Evaluated here as they are stored, {numbers.count(stored.members, 'member')} class "
            f"{stored.differing:,} of {stored.images:,} images otherwise than in their stored predictions."
        )


def _paths(analysis: load.Analysis, work: rows.Work) -> Iterator[str]:
    walked = [row for row in analysis.results.landscape if row.points]
    if not walked:
        return
    said = "; ".join(_path(name) for name in in_order(row.path for row in walked))
    orders = numbers.count(work.orders, "order")
    yield (
        f"Members are joined by paths, {said}. Random ones are walked in {orders}, all at {work.points} "
        "positions, ends included."
    )
    rules = {row.rule for row in walked}
    if rules & {"mask", "mixed"}:
        yield (
            "Members that share a gate and base weights have masks between them, to which the gate's rule is "
            "applied anew."
        )
    if rules & {"effective", "mixed"}:
        yield (
            "Between members that do not, a coordinate of such a path carries its effective value in one of "
            "the two."
        )
    if analysis.study.network.unmasked or analysis.study.network.buffers:
        yield "Everything around the masked weights is blended linearly."
    yield (
        f"Entezari's barrier {sources.cite('entezari2022permutation')} is the largest excess of error or "
        "loss over the straight line between the ends; Frankle's "
        f"{sources.cite('frankle2020linear')} the largest value on the path minus the mean of the ends, "
        "which is at least half their difference without any bump, so across pruners Entezari's leads. Both "
        "are of the error in percentage points or of the loss in nats, mean over orders, then over pairs, "
        "with jackknife intervals over masks, never over pairs."
    )
    if any(row.over_images for row in walked):
        yield (
            "A maximum over noisy points is too large on average: the bootstrap over images "
            f"{sources.cite('davison1997bootstrap')} ({_resamples(walked)} resamples, the same for all "
            "pairs) gives part of that bias and an interval for these masks, and beside it stands the "
            "barrier that straight paths would show on so many images by noise alone."
        )
    yield f"Connected: error barrier below {100.0 * walked[0].threshold:g} points, before any correction."


def _path(name: str) -> str:
    cited = f" {sources.cite(_PATH_SOURCES[name])}" if name in _PATH_SOURCES else ""
    return f"{PATHS.get(name, name)}{cited}"


def _resamples(walked: Sequence[rows.Path]) -> str:
    return text.span([images.resamples for row in walked for images in row.over_images.values()])


def _points(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    flipped = {row.kind for row in results.neighbourhood}
    if said := [words for kind, words in _FLIPS.items() if kind in flipped]:
        yield (
            f"Neighbourhood: bits of a mask are flipped {'; '.join(said)}. More flips contain the fewer, "
            "and the gate's rule is applied anew."
        )
    if results.algebra:
        yield (
            "Algebra: union, intersection and majority of the masks of one population and draw of base "
            "weights, and the symmetric difference of two, as they come and at matched density, where "
            "weights in excess are dropped and missing ones added at random in each layer (the majority then "
            "keeps those with most votes)."
        )
    if results.transfer:
        yield "Transfer puts a mask on other base weights; parameters around stay those of the mask's member."
    kinds = {plane.kind for plane in results.planes}
    if "members" in kinds:
        yield (
            "Planes through members: effective weights A + x(B − A) + y(C − A) of three "
            f"{sources.cite('garipov2018surfaces')}."
        )
    if "flips" in kinds:
        yield (
            "Planes of flips: a member with two disjoint random sets of bits flipped in proportion to x and "
            "y, the gate's rule applied anew."
        )
    if results.chains:
        yield (
            "Chains: paths between the masks at successive snapshots of one member, over base weights that "
            f"stayed as they were drawn {sources.cite('paul2023unmasking')}."
        )
