"""What a mask is worth on other base weights than those that it was found on.

Of sampled members, each mask on its own weights (`own`: the member), on those of another member of the same
population that started from the same draw and ended with others, since a refresh or training changed them
(`same-draw`), on those of a member with another draw (`other-draw`), on a fresh draw of the same distribution
that no member has (`fresh`), and a random mask of the same kept counts on the member's weights (`random`).
Everything around the masked layers stays the member's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from masklab.analysis import estimates
from masklab.archive import Recipe
from masklab.landscape import ends, flips, measures, sampling
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.ends import State
from masklab.landscape.tasks import Outcome, Task

SHARE = 0.05
KEYS = ("transfer",)

OWN = "own"
TARGETS = ("same-draw", "other-draw", "fresh", "random")


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """Members are added in turn, to every population alike."""
    return sampling.grown(context, partial(_tasks, context), evaluations)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows by population and base weights."""
    planned = {task.key for task in tasks}
    rows: list[Row] = []
    for population, ids in context.members.items():
        values: dict[str, dict[str, float]] = {target: {} for target in (OWN, *TARGETS)}
        for member in ids:
            if _key(member) in planned:
                values[OWN][member] = measures.own_accuracy(outcomes, member)
                accuracies = outcomes[_key(member)].accuracy(measures.SPLIT).tolist()
                for target, accuracy in zip(_targets(context, member), accuracies, strict=True):
                    values[target][member] = accuracy
        rows += [
            _row(context, population, target, accuracies, values[OWN])
            for target, accuracies in values.items()
            if accuracies
        ]
    return Found(rows={"transfer": rows})


def _key(member: str) -> str:
    return f"transfer/{member}"


def _tasks(context: Context, members: Sequence[str]) -> list[Task]:
    return [
        Task(
            _key(member),
            len(_targets(context, member)),
            partial(_states, context, member),
            splits=(measures.SPLIT,),
            members=(member,),
        )
        for member in members
    ]


def _targets(context: Context, member: str) -> dict[str, Callable[[], State]]:
    """What the networks of a member's task are, and how each is made."""
    found: dict[str, Callable[[], State]] = {}
    for target in ("same-draw", "other-draw"):
        for giver in _giver(context, member, target):
            found[target] = partial(_moved, context, member, giver)
    recipe = context.archive.member(member).recipe
    if recipe is not None:
        found["fresh"] = partial(_fresh, context, member, recipe)
    return found | {"random": partial(_random, context, member)}


def _giver(context: Context, member: str, target: str) -> list[str]:
    """The member on whose base weights a mask is put, a random one; none where there is none."""
    same = target == "same-draw"
    others = [
        own
        for own in context.members[member.rpartition("/")[0]]
        if own != member and (context.blocks[own] == context.blocks[member]) == same
    ]
    chosen = context.choose(others, 1, "transfer", target, member)
    card = context.ends.card
    return [own for own in chosen if not same or card(own).changed or card(member).changed]


def _states(context: Context, member: str, positions: Sequence[int]) -> State:
    makers = list(_targets(context, member).values())
    return ends.joined([makers[at]() for at in positions])


def _moved(context: Context, member: str, giver: str) -> State:
    return context.ends.of(member).with_base(context.ends.of(giver).base).state


def _fresh(context: Context, member: str, recipe: Recipe) -> State:
    """On initial base weights that no member has; members of equal index get the same draw."""
    levels = [own["draw"][2] for own in context.archive.summaries.values() if own["draw"][2] is not None]
    stored = context.archive.member(member)
    fresh = replace(recipe, level=1 + max(levels) + stored.facts["index"])
    base = {layer.name: context.tensor(fresh.initial(layer).reshape(layer.shape)) for layer in stored.layers}
    return context.ends.of(member).with_base(base).state


def _random(context: Context, member: str) -> State:
    end = context.ends.of(member)
    sizes, kept = [own.numel() for own in end.mask.values()], list(end.kept.values())
    keys = context.random("transfer", "random", member).random_sample(end.size)
    row = context.tensor(flips.largest(keys, sizes, kept))[None]
    return end.with_masks(flips.layered(row, end.mask))


def _row(
    context: Context,
    population: str,
    target: str,
    accuracies: Mapping[str, float],
    own: Mapping[str, float],
) -> Row:
    """One row.

    Args:
        context: The study.
        population: Its name.
        target: What base weights.
        accuracies: Member → accuracy on them.
        own: Member → its accuracy on its own.
    """
    changes = {member: accuracy - own[member] for member, accuracy in accuracies.items()}
    return {
        "population": population,
        "weights": target,
        "members": len(accuracies),
        **measures.header(context),
        "accuracy": measures.over_members(context, accuracies, estimates.SHARE),
        "change": measures.over_members(context, changes, (-1.0, 1.0)),
        "chance": measures.chance(context),
    }
