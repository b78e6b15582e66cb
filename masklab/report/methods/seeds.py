"""Which sources of randomness vary between members, and how."""

from collections.abc import Iterator

from masklab.report import load, numbers, sources
from masklab.report.methods import masks

_NAMES = {
    "weights": "base weights",
    "scores": "initial scores",
    "batches": "order of the training images",
    "augment": "augmentation",
    "refresh": "what refreshes draw",
    "mask": "masks of untrained controls",
}
"""What a source is for."""

_MEMBER = "member"


def sentences(analysis: load.Analysis) -> Iterator[str]:
    """The design; sources that nothing draws from are left out."""
    seeds = analysis.study.seeds
    if analysis.study.recipe_digest is None or not masks.made(analysis):
        return
    levels = {_NAMES.get(key, key): seeds[key] for key in _drawn_from(analysis)}
    several = {name: own for name, own in levels.items() if isinstance(own, int) and own > 1}
    yield (
        "Each source of randomness has streams of its own, for weights and scores one per layer, all derived "
        f"from seed {numbers.plain(seeds.get('study'))} and the same for every population "
        f"{sources.cite('salmon2011parallel')}."
    )
    draws = ", ".join(f"{name} ({own} draws)" for name, own in several.items())
    if seeds.get("crossed") and len(several) > 1:
        yield f"Crossed, so that members are all combinations: {draws}."
    elif draws:
        yield f"Shared in turn, member i having draw i modulo their number: {draws}."
    if each := [name for name, own in levels.items() if own == _MEMBER]:
        nested = " and so nested in the draws that are shared" if several else ""
        yield f"Drawn for each member{nested}: {', '.join(each)}."
    if same := [name for name, own in levels.items() if own == 1]:
        yield f"Drawn once for all members: {', '.join(same)}."
    if rest := {name: own for name, own in levels.items() if own != _MEMBER and not isinstance(own, int)}:
        yield f"Further sources: {numbers.plain(rest)}."
    yield (
        "Member i has the same seeds in every population, so that members are paired; members with the same "
        "draw of base weights form a block."
    )


def _drawn_from(analysis: load.Analysis) -> list[str]:
    """Sources that some population draws from."""
    own = masks.made(analysis)
    absent = {"study", "crossed"}
    if not masks.scored(analysis):
        absent.add("scores")
    if not any(one.trained for one in own):
        absent |= {"batches", "augment"}
    if analysis.study.training.get("augment", "none") in (None, "none"):
        absent.add("augment")
    if not any(one.refresh for one in own):
        absent.add("refresh")
    if all(one.trained for one in own):
        absent.add("mask")
    return [key for key in analysis.study.seeds if key not in absent]
