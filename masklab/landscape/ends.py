"""Members as tensors, ready to be mixed, flipped and moved onto other weights.

A state is what a network needs, by the names of its state dict; here each of its tensors has the axis of the
networks in front, [networks, …].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from masklab import pruners
from masklab.archive import Member
from masklab.training import rebuild, selection

Masks = Mapping[str, Bool[Tensor, "networks *shape"]]
State = dict[str, Tensor]

CACHED_BYTES = 2**30
"""Tensors of members that are kept, so that a member is not decoded for each of its pairs."""


@dataclass(frozen=True)
class Card:
    """What a member's description says of it without its tensors: little, and kept of every member.

    Attributes:
        gate: Its gate.
        drawn: What its base weights are drawn from; None where some were trained, changed or came from
            elsewhere.
        changed: Whether a refresh or training changed some.
        sizes: Layer → weights.
        kept: Layer → kept weights.
        scored: Whether its final scores were kept.
        rank: What its weights are ranked by: `"abs"` or `"signed"`.
        selection: `"layer"` or `"global"`.
    """

    gate: str
    drawn: Any
    changed: bool
    sizes: Mapping[str, int]
    kept: Mapping[str, int]
    scored: bool
    rank: selection.Rank
    selection: str

    @property
    def density(self) -> float:
        """Share of its weights that are kept."""
        return sum(self.kept.values()) / sum(self.sizes.values())


@dataclass(frozen=True, eq=False)
class End:
    """One member.

    Attributes:
        id: Its id.
        gate_name: Its gate.
        base: Layer → base weights.
        mask: Layer → boolean mask.
        effective: Layer → effective weights.
        around: State name → parameters that are not masked, and running statistics.
        recipe: What tells its base weights from others' without a look at them; None where nothing does.
    """

    id: str
    gate_name: str
    base: Mapping[str, Float[Tensor, "*shape"]]
    mask: Mapping[str, Bool[Tensor, "*shape"]]
    effective: Mapping[str, Float[Tensor, "*shape"]]
    around: Mapping[str, Tensor]
    recipe: Any

    @property
    def population(self) -> str:
        """Its population."""
        return self.id.rpartition("/")[0]

    @property
    def gate(self) -> pruners.Gate:
        """Functions of its gate."""
        return cast(pruners.Gate, pruners.modules("gate")[self.gate_name])

    @cached_property
    def size(self) -> int:
        """Number of its weights."""
        return sum(mask.numel() for mask in self.mask.values())

    @cached_property
    def kept(self) -> dict[str, int]:
        """Layer → kept weights."""
        return {layer: int(mask.sum()) for layer, mask in self.mask.items()}

    def masks(self, networks: int) -> dict[str, Bool[Tensor, "networks *shape"]]:
        """Its mask so many times, to be changed."""
        return {layer: mask.expand(networks, *mask.shape).clone() for layer, mask in self.mask.items()}

    def with_masks(self, masks: Masks) -> State:
        """States with its base weights and surroundings under other masks, its gate's rule applied anew."""
        number = len(next(iter(masks.values())))
        return gated(self.gate, self.base, masks) | {
            name: values.expand(number, *values.shape) for name, values in self.around.items()
        }

    def with_base(self, base: Mapping[str, Float[Tensor, "*shape"]]) -> "End":
        """The same mask on other base weights."""
        one = {layer: mask[None] for layer, mask in self.mask.items()}
        effective = {name.removesuffix(".weight"): w[0] for name, w in gated(self.gate, base, one).items()}
        return replace(self, base=base, effective=effective, recipe=None)

    @property
    def state(self) -> State:
        """The member itself, as one network."""
        own = {f"{layer}.weight": weight for layer, weight in self.effective.items()}
        return {name: values[None] for name, values in (own | dict(self.around)).items()}


def gated(gate: pruners.Gate, base: Mapping[str, Float[Tensor, "*shape"]], masks: Masks) -> State:
    """Effective weights of many masks over one set of base weights; the gate's gain is that of each mask.

    Args:
        gate: The rule.
        base: Layer → base weights.
        masks: Layer → masks; an empty one has effective weights of zero.
    """
    found = {}
    for layer, mask in masks.items():
        weight = base[layer].expand(mask.shape)
        gain = gate.gain(weight, mask)
        if gain is not None:
            gain = gain.nan_to_num(0.0)  # the mean of no weights
        found[f"{layer}.weight"] = gate.effective_weight(weight, mask, gain)
    return found


@runtime_checkable
class Members(Protocol):
    """Where members are looked up; an archive is such a place."""

    @property
    def study(self) -> Mapping[str, Any]:
        """The resolved study."""
        ...

    def member(self, member_id: str) -> Member:
        """One stored member."""
        ...


class Ends:
    """The members of a study on a device.

    Args:
        archive: The study.
        device: Where tensors go.
    """

    def __init__(self, archive: Members, device: str) -> None:
        self.archive, self.device = archive, device
        weights = sum(layer["size"] for layer in archive.study["network"]["layers"])
        self.card = lru_cache(None)(self._card)
        self.of = lru_cache(max(4, CACHED_BYTES // max(1, 9 * weights)))(self._of)
        self.scores = lru_cache(max(4, CACHED_BYTES // max(1, 4 * weights)))(self._scores)

    def shares(self, a: str, b: str) -> bool:
        """Whether two members have one gate and one set of base weights."""
        first, second = self.card(a), self.card(b)
        return first.gate == second.gate and first.drawn is not None and first.drawn == second.drawn

    def _card(self, own: str) -> Card:
        """What a member's description says.

        Raises:
            ArchiveError: Its file is damaged.
        """
        stored = self.archive.member(own)
        recipe = {**stored.facts["training"], **stored.facts["overrides"]}
        return Card(
            stored.facts["gate"],
            _drawn(stored),
            any(layer.origin is not None for layer in stored.layers),
            {layer.name: layer.size for layer in stored.layers},
            {layer.name: layer.kept for layer in stored.layers},
            any(name.startswith("score/") for name in stored.facts["tensors"]),
            recipe["rank"],
            recipe["selection"],
        )

    def _of(self, own: str) -> End:
        """A member.

        Raises:
            ArchiveError: It is damaged.
        """
        stored = self.archive.member(own)
        base, mask = stored.weights(), stored.mask()
        gains = {layer.name: layer.gain for layer in stored.layers if layer.gain is not None}
        effective = rebuild.effective_weights(rebuild.gate_of(stored), base, mask, gains)
        state = rebuild.member_state(
            stored.facts, stored.recipe, effective, stored.parameters(), stored.buffers()
        )
        return End(
            own,
            stored.facts["gate"],
            {layer: torch.from_numpy(values).to(self.device) for layer, values in base.items()},
            {layer: torch.from_numpy(values).to(self.device) for layer, values in mask.items()},
            {layer: values.to(self.device) for layer, values in effective.items()},
            {
                name: values.to(self.device)
                for name, values in state.items()
                if name.removesuffix(".weight") not in effective
            },
            _drawn(stored),
        )

    def _scores(self, own: str) -> dict[str, Float[Tensor, "*shape"]]:
        """Layer → final scores of a member; empty where they were not kept."""
        found = self.archive.member(own).scores()
        return {layer: torch.from_numpy(values.copy()).to(self.device) for layer, values in found.items()}


def _drawn(member: Member) -> Any:
    """What the base weights are drawn from; None where some were trained, changed or came from elsewhere."""
    recipe = member.recipe
    if recipe is None or any(layer.origin is not None for layer in member.layers):
        return None
    return recipe.seed, recipe.level, recipe.init, recipe.factor


def joined(states: Sequence[Mapping[str, Tensor]]) -> State:
    """One state of the networks of several."""
    if len(states) == 1:
        return dict(states[0])
    return {name: torch.cat([state[name] for state in states]) for name in states[0]}


def blend(first: Mapping[str, Tensor], last: Mapping[str, Tensor], t: Float[Tensor, " points"]) -> State:
    """Straight line between what surrounds two members, [points, …]; the ends are exact."""
    found = {}
    for name, a in first.items():
        b = last[name]
        if not a.is_floating_point():
            found[name] = a.expand(len(t), *a.shape).clone()
            continue
        at = t.to(a.dtype).view(-1, *[1] * a.ndim)
        found[name] = torch.where(at == 1, b, torch.lerp(a.expand(len(t), *a.shape), b, at))
    return found
