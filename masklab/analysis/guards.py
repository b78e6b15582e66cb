"""Named warnings: what a reader must know before believing a number on the page."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from masklab.analysis import embeddings

Row = dict[str, Any]

LEAST_WEIGHT_DRAWS = 3
LEAST_MEMBERS = 5
_NAMED_IDS = 5
_SAME_DENSITY = 1.01  # rounding of kept counts is less


def collect(results: Row, *, draws: int) -> list[Row]:
    """Warnings `{code, text, where}` that follow from who is there; the study's own come first.

    Args:
        results: `study`, `populations`, `members`, `failures` and `without_pairs` of `results.json`.
        draws: Draws of base weights among the stored members.
    """
    study, populations = results["study"], results["populations"]
    members, failures = results["members"], results["failures"]
    compared = [row for row in populations if row["compared"]]
    found = [
        _few_weight_draws(draws)
        if any(row["stored"] and not row.get("imported") for row in populations)
        else None,
        _unequal_densities(compared, members),
        *(_few_members(row) for row in populations),
        *_few_members_per_cell(compared, members),
        *(
            _failed(row["name"], [one for one in failures if _population(one["id"]) == row["name"]])
            for row in populations
        ),
        *(_missing(row) for row in populations),
        *(_unknown(row) for row in populations),
        *(_unknown_weights(row) for row in populations),
        *(_not_identical(row) for row in populations),
        *(_at_guessing(row, members, len(study["data"]["classes"])) for row in populations),
        _mixed_base_weights([row for row in compared if row["stored"]]),
        _few_masks(sum(row["stored"] for row in compared)),
        _warning("without-pairs", results["without_pairs"], "overlap") if results["without_pairs"] else None,
    ]
    return [*study.get("warnings", []), *(row for row in found if row)]


def duplicates(groups: Sequence[Sequence[str]], results: Row, levels: dict[str, Any]) -> Iterator[Row]:
    """One warning for each group of members whose masks are equal in every weight.

    Args:
        groups: Their ids (see `masklab.analysis.equal`).
        results: `members` of `results.json`.
        levels: Member id → its levels of the seed sources; empty where they are not known.
    """
    density = {row["id"]: row["kept_density"] for row in results["members"]}
    for ids in groups:
        if density[ids[0]] == 1.0:
            reason = "they keep every weight, so this is expected"
        elif not all(levels[one] for one in ids):
            reason = "not all of their seeds are known; if they are equal, they count as one sample"
        elif all(_population(one) == _population(ids[0]) and levels[one] == levels[ids[0]] for one in ids):
            reason = "all their seeds are equal, so this is expected, and they count as one sample"
        else:
            reason = "their seeds or pruners differ, and intervals that count them as separate are too narrow"
        yield _warning("duplicate-members", f"{_listed(ids)} have the same mask; {reason}", ids[0])


def measured(results: Row, tested: int) -> list[Row]:
    """Warnings that follow from what was measured.

    Args:
        results: `accuracy` and `scope` of `results.json`.
        tested: Number of test images.
    """
    found = [
        _accuracy_sampling(results["accuracy"], tested),
        _without_labels(results["scope"]),
    ]
    return [row for row in found if row]


def _accuracy_sampling(accuracy: list[Row], tested: int) -> Row | None:
    """Sampling error of one member's test accuracy, √(p(1−p)/n), at the mean of each population.

    Args:
        accuracy: Rows of `accuracy`.
        tested: Number of test images.
    """
    spreads = [
        100 * row["sampling_sd"]
        for row in accuracy
        if row["metric"] == "accuracy" and row["sampling_sd"] is not None
    ]
    if not spreads:
        return None
    low, high = f"{min(spreads):.2f}", f"{max(spreads):.2f}"
    text = (
        f"each accuracy is measured on {tested:,} test images: its sampling standard deviation √(p(1−p)/n) "
        f"is {low if low == high else f'{low} to {high}'} points at the populations' means, and intervals "
        "over members do not include it"
    )
    return _warning("accuracy-sampling", text, "accuracy")


def _warning(code: str, text: str, where: str) -> Row:
    return {"code": code, "text": text, "where": where}


def _population(member_id: str) -> str:
    return member_id.rpartition("/")[0]


def _listed(ids: Sequence[str]) -> str:
    """The first few ids in words, and how many more."""
    if len(ids) <= _NAMED_IDS:
        return ", ".join(ids)
    return f"{', '.join(ids[:_NAMED_IDS])} and {len(ids) - _NAMED_IDS} more"


def _few_weight_draws(draws: int) -> Row | None:
    if draws >= LEAST_WEIGHT_DRAWS:
        return None
    text = (
        f"{draws} draw{'s' * (draws != 1)} of base weights: the numbers hold for these weights; claims about "
        f"pruners in general need at least {LEAST_WEIGHT_DRAWS} draws"
    )
    return _warning("few-weight-draws", text, "seeds.weights")


def _unequal_densities(populations: list[Row], members: list[Row]) -> Row | None:
    """Populations, or members of one, that keep different shares of the weights."""
    names = {row["name"] for row in populations}
    kept = [row["kept_density"] for row in members if row["population"] in names]
    planned = sorted({row["density"] for row in populations if row["stored"]})
    if not kept or max(kept) <= _SAME_DENSITY * min(kept):
        return None
    said = ", ".join(f"{density:g}" for density in planned)
    if len(planned) < 2:
        said = f"from {min(kept):.3g} to {max(kept):.3g} between members"
    text = (
        f"densities are {said}: raw Hamming and Jaccard are not comparable between them, and PERMANOVA and "
        "PERMDISP see the densities too; use the chance-corrected overlap"
    )
    return _warning("unequal-densities", text, "populations")


def _few_members(population: Row) -> Row | None:
    stored = population["stored"]
    if not 0 < stored < LEAST_MEMBERS:
        return None
    counted = f"{stored} member{'s' * (stored != 1)}"
    text = f"{counted}: with fewer than {LEAST_MEMBERS} the intervals are wide or missing"
    return _warning("few-members", text, population["name"])


def _few_members_per_cell(populations: list[Row], members: list[Row]) -> Iterator[Row]:
    """Populations with enough members, but few on some draw of base weights."""
    alike: dict[str, list[str]] = {}
    for row in populations:
        own = [member["block"] for member in members if member["population"] == row["name"]]
        least = min((own.count(draw) for draw in set(own)), default=0)
        if len(own) >= LEAST_MEMBERS > least:
            said = f"{len(own)} members on {len(set(own))} draws of base weights, {least} on one of them"
            alike.setdefault(said, []).append(row["name"])
    for said, names in alike.items():
        text = f"{said}: what is compared within a draw rests on fewer than {LEAST_MEMBERS} masks"
        yield _warning("few-members-per-cell", text, _listed(names))


def _mixed_base_weights(populations: list[Row]) -> Row | None:
    """Masks over base weights that training or a refresh changed, beside masks over those that were drawn."""
    changed = [
        row["name"]
        for row in populations
        if (row["refresh_events"]["max"] or 0) > 0 or (row["trained"] and row["control"])
    ]
    if not changed or len(changed) == len(populations):
        return None
    text = (
        f"{_listed(changed)}: base weights were changed while the masks were trained, those of the others "
        "were not; overlap says whether the same positions are kept, not whether the same weights are"
    )
    return _warning("mixed-base-weights", text, "overlap")


def _without_labels(scope: Row | None) -> Row | None:
    """Why statistics of right and wrong predictions are missing."""
    if not scope or not scope["members"] or not scope["labels"]:
        return None
    return _warning("without-labels", f"right and wrong predictions: {scope['labels']}", "function")


def _failed(name: str, failures: list[Row]) -> Row | None:
    if not failures:
        return None
    cause = failures[0]["cause"] or "no cause recorded"
    text = f"training failed for {_listed([row['id'] for row in failures])}: {cause}"
    return _warning("failed-members", text, name)


def _missing(population: Row) -> Row | None:
    missing = population["members"] - population["stored"] - population["failed"]
    if missing <= 0:
        return None
    how = "stored; import the same files again" if population.get("imported") else "trained yet"
    text = f"{missing} of {population['members']} members are not {how}"
    return _warning("missing-members", text, population["name"])


def _unknown(population: Row) -> Row | None:
    """What an imported population lacks."""
    imported = population.get("imported")
    if not imported:
        return None
    text = (
        f"imported ({imported['format']}): its {', '.join(imported['unknown'])} are not known, so it has no "
        "accuracy and no paths, and equal indices do not mean equal seeds"
    )
    return _warning("imported", text, population["name"])


def _unknown_weights(population: Row) -> Row | None:
    imported = population.get("imported")
    if not imported or imported["weights"] == "whole":
        return None
    what = "not known" if imported["weights"] == "none" else "known only where they are kept"
    text = (
        f"base weights are {what}: its members count as one draw of their own, though they may come from "
        "several, or share one with other populations; masks over different weights overlap at chance"
    )
    return _warning("unknown-weights", text, population["name"])


def _not_identical(population: Row) -> Row | None:
    if not population["overrides"]:
        return None
    settings = ", ".join(f"{key} = {value}" for key, value in population["overrides"].items())
    return _warning("not-identical", f"not trained under the common recipe: {settings}", population["name"])


def _at_guessing(population: Row, members: list[Row], classes: int) -> Row | None:
    """A trained population that has learned next to nothing: its masks say little about its pruner."""
    values = [row["accuracy"] for row in members if row["population"] == population["name"]]
    if not population["trained"] or not values:
        return None
    guess = 1 / classes
    if statistics.fmean(values) >= guess + 0.1 * (1 - guess):
        return None
    text = (
        f"mean accuracy {100 * statistics.fmean(values):.1f} % is less than a tenth of the way from guessing "
        f"({100 * guess:.3g} %) to 100 %: these masks have hardly been trained"
    )
    return _warning("at-guessing", text, population["name"])


def _few_masks(masks: int) -> Row | None:
    """Nothing to compare, or too few masks for an embedding."""
    counted = f"{masks} mask{'s' * (masks != 1)}"
    if masks < 2:
        text = f"{counted} to compare: there is no overlap, distance, embedding or path between masks"
        return _warning("nothing-to-compare", text, "overlap")
    if masks < embeddings.LEAST_MEMBERS:
        text = f"no embedding: {counted}; it takes at least {embeddings.LEAST_MEMBERS}"
        return _warning("few-members-to-embed", text, "embeddings")
    return None
