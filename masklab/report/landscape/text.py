"""How the landscape was measured, in sentences, and where its methods come from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from masklab.report import load, numbers, text
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


def paragraphs(analysis: load.Analysis) -> list[str]:
    """Methods of what was measured of the landscape."""
    work = analysis.results.landscape_work
    if work is None:
        return []
    found = [" ".join(part) for part in (_work(work), _paths(analysis, work), _points(analysis))]
    return [one for one in found if one]


def _work(work: rows.Work) -> Iterator[str]:
    images = " and ".join(f"{number:,} {split}" for split, number in work.images.items())
    yield (
        f"Landscape: {work.networks:,} networks between and around masks were evaluated on {images} images, "
        f"{work.evaluations:,} evaluations (networks × images) of a budget of {work.budget:,}: "
        f"{work.source}. Questions draw fewer pairs, members or sets where the budget is small, and larger "
        f"samples contain smaller ones. Engine {work.engine} on {work.device}."
    )
    if work.statistics == "keep":
        yield f"Batch normalisation: {_STATISTICS['keep']}."
    if work.statistics == "re-estimate":
        yield (
            f"Batch normalisation: {_STATISTICS['re-estimate']}, members included, as plain means over "
            f"{numbers.count(work.batches, 'batch', 'batches')} of training images "
            f"({work.statistics_images:,} images)."
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
    said = "; ".join(PATHS.get(name, name) for name in in_order(row.path for row in walked))
    orders = numbers.count(work.orders, "order")
    yield f"Paths: {said}. Random ones are walked in {orders}, all at {work.points} positions, ends included."
    yield (
        "Members that share a gate and base weights have masks between them, to which the gate's rule is "
        "applied anew (Biprop's gain is computed again); between others a coordinate carries its effective "
        "value in one of the two. Everything around the masked weights is blended linearly."
    )
    yield (
        "Entezari's barrier is the largest excess of error or loss over the straight line between the ends; "
        "Frankle's the largest value on the path minus the mean of the ends, which is at least half their "
        "difference without any bump, so across pruners Entezari's leads. Both are of the error in "
        "percentage points or of the loss in nats, mean over orders, then over pairs, with intervals over "
        "masks, never over pairs. A maximum over noisy points is too large on average: the bootstrap over "
        f"images ({_resamples(walked)} resamples, the same for all pairs) gives part of that bias and an "
        "interval for these masks, and beside it stands the barrier that straight paths would show on so "
        f"many images by noise alone. Connected: error barrier below {100.0 * walked[0].threshold:g} points, "
        "before any correction."
    )


def _resamples(walked: Sequence[rows.Path]) -> str:
    return text.span([images.resamples for row in walked for images in row.over_images.values()])


def _points(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    if results.neighbourhood:
        yield (
            "Neighbourhood: bits of a mask are flipped at random, swapped within layers (density kept), or "
            "those flip first whose scores are nearest to their layer's threshold; more flips contain the "
            "fewer, and the gate's rule is applied anew."
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
    if results.planes:
        yield (
            "Planes: effective weights A + x(B − A) + y(C − A) of three members, or a member with two "
            "disjoint random sets of bits flipped in proportion to x and y."
        )
    if results.chains:
        yield (
            "Chains: paths between the masks at successive snapshots of one member, over base weights that "
            "stayed as they were drawn."
        )


def references(analyses: Sequence[load.Analysis]) -> list[text.Reference]:
    """Sources of what was measured of the landscape."""
    used = {key for analysis in analyses for key in _used(analysis)}
    return [reference for key, reference in _REFERENCES.items() if key in used]


def _used(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    if results.landscape:
        yield from ("entezari", "frankle", "bootstrap")
    if {row.path for row in results.landscape} & {"bernoulli", "scores"}:
        yield "masks"
    if any(row.statistics == "re-estimate" for row in results.landscape):
        yield "re-estimate"
    if results.chains:
        yield "chains"
    if any(row.kind == "members" for row in results.planes):
        yield "planes"


def _reference(name: str, rule: str, source: str) -> text.Reference:
    return text.Reference(name, "analysis", rule, text.link(source))


_REFERENCES = {
    "entezari": _reference(
        "barrier (Entezari)",
        "Largest excess over the straight line between the end points.",
        "Entezari et al., The Role of Permutation Invariance in Linear Mode Connectivity of Neural "
        "Networks, ICLR 2022 (arXiv 2110.06296).",
    ),
    "frankle": _reference(
        "linear path, barrier (Frankle)",
        "Largest value on the straight line minus the mean of the end points; below 2 points of error two "
        "networks count as connected.",
        "Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020 "
        "(arXiv 1912.05671).",
    ),
    "masks": _reference(
        "bernoulli and scores paths",
        "Masks drawn from two with probability t, and interpolated scores.",
        "Sreenivasan et al., Rare Gems: Finding Lottery Tickets at Initialization, NeurIPS 2022 "
        "(arXiv 2202.12002).",
    ),
    "bootstrap": _reference(
        "bootstrap",
        "Bias and spread from images drawn with replacement.",
        "Davison & Hinkley, Bootstrap Methods and their Application, Cambridge University Press, 1997 "
        "(doi:10.1017/CBO9780511802843).",
    ),
    "re-estimate": _reference(
        "re-estimated statistics",
        "Batch normalisation between networks needs statistics of its own.",
        "Jordan et al., REPAIR: REnormalizing Permuted Activations for Interpolation Repair, ICLR 2023 "
        "(arXiv 2211.08403).",
    ),
    "planes": _reference(
        "planes",
        "The plane of weights through three networks.",
        "Garipov et al., Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs, NeurIPS 2018 "
        "(arXiv 1802.10026).",
    ),
    "chains": _reference(
        "chains",
        "Are successive masks linearly connected?",
        "Paul et al., Unmasking the Lottery Ticket Hypothesis: What's Encoded in a Winning Ticket's Mask?, "
        "ICLR 2023 (arXiv 2210.03044).",
    ),
}
