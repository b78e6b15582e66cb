"""Blocks: which members share their base weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from masklab.archive import container
from masklab.archive.description import TRAINED, trained_tensor
from masklab.archive.member import Member


def known(member: Member) -> bool:
    """Whether a member's base weights are known where they are pruned, too."""
    imported = member.facts.get("imported")
    return imported is None or imported["weights"] == "whole"


def draw(member: Member) -> list[Any]:
    """What tells a member's base weights apart: kind and name of the distribution and, last, the draw.

    JSON-able, so that it can be kept without the member.
    """
    if member.recipe is not None:
        trained = any(layer.origin == TRAINED for layer in member.layers)
        return [member.recipe.init, trained, member.recipe.level]
    if not known(member):
        return ["population", member.facts["population"], None]
    tensors = member.facts["tensors"]
    sums = [tensors[trained_tensor(layer.name)]["checksum"] for layer in member.layers]
    return ["stored", container.digest("".join(sums).encode()), None]


def numbers(draws: Mapping[str, Sequence[Any]]) -> dict[str, int]:
    """Member id → number of its draw of base weights.

    Members of equal number share the initial draw up to a scale (densities scale the fan). Populations that
    draw from another distribution, or train their base weights, share nothing with the others, so their draws
    count on; members with trained weights and an equal draw started from equal weights. Imported members
    share base weights where the stored ones are equal; where they are not known, nothing tells the members of
    a population apart, and each such population counts as one draw.

    Args:
        draws: What `draw` says of each member, by id.
    """
    recipes = {one: (tuple(kind), level) for one, (*kind, level) in draws.items() if level is not None}
    order = {kind: number for number, kind in enumerate(dict.fromkeys(kind for kind, _ in recipes.values()))}
    count = max((level for _, level in recipes.values()), default=0) + 1
    found = {one: level + count * order[kind] for one, (kind, level) in recipes.items()}
    foreign = {one: tuple(kind) for one, (*kind, level) in draws.items() if level is None}
    first = max(found.values(), default=-1) + 1
    places = {kind: first + number for number, kind in enumerate(dict.fromkeys(foreign.values()))}
    found |= {one: places[kind] for one, kind in foreign.items()}
    return {one: found[one] for one in draws}
