"""What foreign formats need of gates and networks: gains, names and values of a member's state dict."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32

from masklab import pruners
from masklab.archive import Member
from masklab.archive.exchange import Gates, Outgoing
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    from torch import Tensor

NO_WEIGHTS = "only its mask was imported, so its weights are not known"


def gates() -> Gates:
    """The plain gate, and how gains follow from weights and masks."""
    plain = next(name for name, module in pruners.modules("gate").items() if getattr(module, "PLAIN", False))
    return Gates(plain, gains)


def gains(
    gate: str,
    weights: Mapping[str, Float32[np.ndarray, "..."]],
    masks: Mapping[str, Bool[np.ndarray, "..."]],
) -> dict[str, float]:
    """Layer name → gain under a gate; empty for a gate without gains.

    A layer that keeps no weight has the gain 0.
    """
    import torch

    rule, found = pruners.resolve(gate, {}, epochs=1).gate, {}
    for name, mask in masks.items():
        gain = rule.gain(torch.from_numpy(weights[name])[None], torch.from_numpy(mask)[None])
        if gain is not None:
            found[name] = float(gain[0]) if mask.any() else 0.0
    return found


def outgoing(member: Member) -> Outgoing:
    """A stored member as exports need it; its weights are computed when they are asked for.

    Raises:
        ArchiveError: The file is damaged.
    """
    own = {layer.name: f"{layer.name}.weight" for layer in member.layers}
    imported = member.facts.get("imported")
    foreign = own if imported is None else {name: imported["tensors"].get(name, own[name]) for name in own}
    tensors = own if imported is None or imported["renamed"] else foreign
    return Outgoing(member.id, member.mask(), tensors, lambda: _state(member, foreign), foreign)


def _state(member: Member, foreign: Mapping[str, str]) -> "Mapping[str, Tensor]":
    from masklab.training import rebuild

    imported = member.facts.get("imported")
    if imported is None:
        return rebuild.stored_state(member)
    if not member.has_weights:
        raise ArchiveError(f"{member.id}: {NO_WEIGHTS}; it can be exported as mask, npz or prune")
    import torch

    effective = rebuild.member_weights(member)
    others = {**member.parameters(), **member.buffers()}
    return {
        **{
            foreign[name]: weight.reshape(imported["shapes"].get(name, list(weight.shape)))
            for name, weight in effective.items()
        },
        **{name: torch.from_numpy(np.array(values)) for name, values in others.items()},
    }
