"""How high is the barrier between successive masks of one training?

A chain is a member's masks at its snapshots, and its final one; each mask is walked to the next, on the paths
`PATHS` (those of them that are asked for) in one random order. Members whose base weights were changed on the
way, by a refresh or by training, are left out: what their weights were at a snapshot is not known.

Snapshots are of masks alone. Each is applied to the member's base weights, and the rest of the network
(running statistics, and scales and shifts where they are learned) is the final one. Under `"keep"` earlier
masks are therefore evaluated with running statistics that belong to the last; under `"re-estimate"` every
mask, and every point between two, gets its own.

Beside each barrier stands what noise alone shows: the bootstrap over images of `masklab.landscape.barriers`,
with the resamples that the paths between members have.

Source: Paul et al., Unmasking the Lottery Ticket Hypothesis: What's Encoded in a Winning Ticket's Mask? (ICLR
2023, arXiv 2210.03044): pruned networks match exactly where successive pruning levels are linearly connected;
here the masks of successive epochs of one training take the place of levels.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise

import numpy as np
import torch
from jaxtyping import Float32, Float64, Shaped

from masklab import bits
from masklab.analysis import estimates
from masklab.landscape import barriers, measures, paths, sampling
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.ends import End, Ends, State, gated, joined
from masklab.landscape.images import SPLITS
from masklab.landscape.tasks import Outcome, Task, own_key

SHARE = 0.1
KEYS = ("chains",)

PATHS = ("linear", "geodesic")


class Moments(Ends):
    """Members as they were at a snapshot, too, under ids such as `biprop-d0.5/0003@4`.

    Args:
        ends: The members.
    """

    def __init__(self, ends: Ends) -> None:
        super().__init__(ends.archive, ends.device)
        self.whole = ends

    def shares(self, a: str, b: str) -> bool:
        """Whether two members have one gate and one set of base weights, then as now."""
        return self.whole.shares(a.partition("@")[0], b.partition("@")[0])

    def _of(self, own: str) -> End:
        member, at, epoch = own.partition("@")
        end = self.whole.of(member)
        if not at:
            return end
        stored = self.archive.member(member).snapshot(int(epoch))
        mask = {layer: torch.from_numpy(values).to(self.device) for layer, values in stored.items()}
        weights = gated(end.gate, end.base, {layer: values[None] for layer, values in mask.items()})
        effective = {name.removesuffix(".weight"): values[0] for name, values in weights.items()}
        return replace(end, id=own, mask=mask, effective=effective)


@dataclass(frozen=True, eq=False)
class _Link:
    """From one mask of a member to its next, on one path and split; resamples as in `barriers.resampled`."""

    member: str
    epoch: int
    to: int
    hamming: float
    error: Float64[np.ndarray, " points"]
    loss: Float64[np.ndarray, " points"]
    errors: Float64[np.ndarray, "2 resamples"]
    losses: Float64[np.ndarray, "2 resamples"]


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """Masks at snapshots, and walks from each to the next; one member of each population, then another."""
    moments = Moments(context.ends)
    names = _paths(context)
    drawn = [_drawn(context, name) for name in context.names] if names else []
    members = sampling.in_turn(drawn)
    asked = (list(_tasks(context, moments, names, member)) for member in members)
    return sampling.beginning(context, asked, evaluations, least=sum(map(bool, drawn)))


def _paths(context: Context) -> list[str]:
    asked = context.settings.paths
    return [name for name in PATHS if asked is None or name in asked]


def _drawn(context: Context, population: str) -> list[str]:
    """Members of a population that have a chain, in random order."""
    having = [member for member in context.members[population] if len(_epochs(context, member)) > 1]
    order = context.random("chains", population).permutation(len(having))
    return [having[at] for at in order if context.ends.shares(having[at], having[at])]


def _epochs(context: Context, member: str) -> list[int]:
    """Epochs done at each mask of a chain; the last is the end of training."""
    end = context.archive.study["training"]["epochs"]
    return [*(at for at in context.archive.summaries[member]["snapshots"] if at < end), end]


def _tasks(context: Context, moments: Moments, names: Sequence[str], member: str) -> Iterator[Task]:
    links, inner = len(_epochs(context, member)) - 1, len(context.grid) - 2
    build = partial(_masks, context, moments, member)
    yield Task(f"snapshots/{member}", links, build, SPLITS, (member,))
    for name in names:
        is_random = paths.all_paths()[name].RANDOM
        streams = [
            partial(context.random, "chain", name, own) if is_random else None
            for own in _ids(context, member)[:-1]
        ]
        build = partial(_between, context, moments, name, member, streams)
        yield Task(f"chain/{name}/{member}", links * inner, build, SPLITS, (member,))


def _ids(context: Context, member: str) -> list[str]:
    return [*(f"{member}@{epoch}" for epoch in _epochs(context, member)[:-1]), member]


def _masks(context: Context, moments: Moments, member: str, positions: Sequence[int]) -> State:
    ids = _ids(context, member)
    return joined([moments.of(ids[at]).state for at in positions])


def _between(
    context: Context,
    moments: Moments,
    name: str,
    member: str,
    streams: Sequence[paths.Random | None],
    positions: Sequence[int],
) -> State:
    """Interior points of all links, one link after the other."""
    path, ids, inner = paths.all_paths()[name], _ids(context, member), len(context.grid) - 2
    found = []
    for link, own in groupby(positions, key=lambda position: position // inner):
        t = torch.tensor([context.grid[1 + at % inner] for at in own], device=context.device)
        a, b = (moments.of(one) for one in ids[link : link + 2])
        found.append(path.states(moments, a, b, t, streams[link]))
    return joined(found)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows of `chains`: one per population, path, link and split, over the members that have the link."""
    import threadpoolctl

    walked: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        kind, _, rest = task.key.partition("/")
        if kind == "chain":
            name, _, member = rest.partition("/")
            walked.setdefault((member.rpartition("/")[0], name), []).append(member)
    order = {name: at for at, name in enumerate(context.names)}
    rows = []
    with threadpoolctl.threadpool_limits(1):  # others would sum in another order
        shares = {
            split: barriers.resampling(context.images.number(split), context.random("bootstrap", split))
            for split in SPLITS
        }
        for population, name in sorted(walked, key=lambda key: (order[key[0]], PATHS.index(key[1]))):
            members = sorted(walked[population, name])
            for split in SPLITS:
                links = [
                    link
                    for own in members
                    for link in _links(context, name, own, split, outcomes, shares[split])
                ]
                for between in sorted({(link.epoch, link.to) for link in links}):
                    those = [link for link in links if (link.epoch, link.to) == between]
                    rows.append(_row(context, population, name, split, those))
    return Found(rows={KEYS[0]: rows})


def _links(
    context: Context,
    name: str,
    member: str,
    split: str,
    outcomes: Mapping[str, Outcome],
    shares: Float32[np.ndarray, "resamples images"],
) -> Iterator[_Link]:
    keys = (f"snapshots/{member}", own_key(member), f"chain/{name}/{member}")
    measured = [outcomes[key] for key in keys]
    wrong = _along(*(outcome.wrong(split) for outcome in measured))
    losses = _along(*(outcome.losses[split] for outcome in measured))
    distances, grid = _distances(context, member), np.array(context.grid)
    for at, (epoch, to) in enumerate(pairwise(_epochs(context, member))):
        yield _Link(
            member,
            epoch,
            to,
            distances[at],
            wrong[at].mean(axis=1),
            losses[at].mean(axis=1, dtype=np.float64),
            barriers.resampled(wrong[at], grid, shares),
            barriers.resampled(losses[at], grid, shares),
        )


def _along(
    masks: Shaped[np.ndarray, "links images"],
    own: Shaped[np.ndarray, "1 images"],
    inner: Shaped[np.ndarray, "between images"],
) -> Shaped[np.ndarray, "links points images"]:
    """Values on each link, ends included, of masks at snapshots, of the final one, and of what is between."""
    nodes = np.concatenate([masks, own])
    between = inner.reshape(len(masks), -1, inner.shape[1])
    return np.concatenate([nodes[:-1, None], between, nodes[1:, None]], axis=1)


def _distances(context: Context, member: str) -> list[float]:
    """Hamming distance of each mask of a chain to the next."""
    stored = context.archive.member(member)
    names, size = [layer.name for layer in stored.layers], sum(layer.size for layer in stored.layers)
    masks = [
        *([stored.packed_snapshot(at, name) for name in names] for at in _epochs(context, member)[:-1]),
        [stored.packed(name) for name in names],
    ]
    return [
        sum(int(bits.count(a ^ b)) for a, b in zip(one, other, strict=True)) / size
        for one, other in pairwise(masks)
    ]


def _row(context: Context, population: str, name: str, split: str, links: list[_Link]) -> Row:
    """One row; all links are between the same epochs."""
    grid = np.array(context.grid)
    error = barriers.entezari(np.stack([link.error for link in links]), grid)
    loss = barriers.entezari(np.stack([link.loss for link in links]), grid)
    errors = np.mean([link.errors for link in links], axis=0)
    losses = np.mean([link.losses for link in links], axis=0)

    def mean(values: Iterable[float], limits: tuple[float, float] = estimates.SHARE) -> Row:
        members = [link.member for link in links]
        return measures.over_members(context, dict(zip(members, map(float, values), strict=True)), limits)

    return {
        "population": population,
        "path": name,
        "epoch": links[0].epoch,
        "to": links[0].to,
        "split": split,
        "statistics": context.statistics,
        "images": context.images.number(split),
        "members": len(links),
        "hamming": mean(link.hamming for link in links),
        "accuracy": mean(1 - link.error[0] for link in links),
        "chance": measures.chance(context, split),
        "barrier": {
            "entezari_error": mean(error, barriers.limits("entezari_error")),
            "entezari_loss": mean(loss, barriers.limits("entezari_loss")),
        },
        "over_images": {
            "entezari_error": barriers.over_images(float(error.mean()), errors),
            "entezari_loss": barriers.over_images(float(loss.mean()), losses),
        },
        "connected": mean((error < barriers.CONNECTED).astype(float)),
        "threshold": barriers.CONNECTED,
    }
