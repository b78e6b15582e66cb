"""From a member file to a plain network, and the one function that evaluates it."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from masklab import networks, pruners
from masklab.archive import Member, Recipe
from masklab.errors import ArchiveError
from masklab.training import device as devices
from masklab.training import images as imaging
from masklab.training import surroundings

EVALUATION_BATCH = 512


class Rebuilt(nn.Module):
    """A member as users get it: raw intensities in, logits out.

    Attributes:
        network: The plain network; its weights are the effective weights.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, mean: list[float], deviation: list[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", imaging.per_channel(mean))
        self.register_buffer("deviation", imaging.per_channel(deviation))

    def forward(self, images: Shaped[Tensor, "batch c h w"]) -> Float[Tensor, "batch classes"]:
        """Logits of raw images (uint8, or floats in the same units)."""
        return self.network(imaging.normalise(images, self.mean, self.deviation))


def effective_weights(
    gate: pruners.Gate,
    base: Mapping[str, np.ndarray],
    masks: Mapping[str, np.ndarray],
    gains: Mapping[str, float],
) -> dict[str, Tensor]:
    """Layer name → float32 effective weights of one member, on the CPU.

    Args:
        gate: The member's gate.
        base: Layer name → base weights.
        masks: Layer name → boolean mask of the same shape.
        gains: Layer name → stored gain, for gates that have one.
    """
    effective = {}
    for name, mask in masks.items():
        gain = torch.tensor([gains[name]], dtype=torch.float32) if name in gains else None
        weight, kept = torch.from_numpy(base[name])[None], torch.from_numpy(mask)[None]
        effective[name] = gate.effective_weight(weight, kept, gain)[0]
    return effective


def member_state(
    facts: Mapping[str, Any],
    recipe: Recipe | None,
    effective: Mapping[str, Tensor],
    parameters: Mapping[str, np.ndarray],
    buffers: Mapping[str, np.ndarray],
) -> dict[str, Tensor]:
    """Everything that one member's network needs, by the names of its state dict.

    Args:
        facts: What the member's file says of itself.
        recipe: How its initial base weights are drawn; None where no recipe gives them.
        effective: Layer name → effective weights.
        parameters: Stored parameters.
        buffers: Stored running statistics.

    Raises:
        ArchiveError: A parameter is neither stored nor given by a rule.
    """
    state = {f"{name}.weight": weight for name, weight in effective.items()}
    for entry in facts["network"].get("unmasked", ()):
        parameter = networks.Parameter(entry["name"], tuple(entry["shape"]), entry["rule"])
        value = surroundings.constant(parameter)
        if parameter.rule == "drawn" and recipe is not None:
            value = torch.from_numpy(surroundings.drawn(parameter, recipe.seed, recipe.level, recipe.init))
        elif value is None and parameter.name in parameters:
            value = torch.from_numpy(np.array(parameters[parameter.name]))
        if value is None:
            raise ArchiveError(f"parameter {parameter.name!r} is neither stored nor given by a rule")
        state[parameter.name] = value
    return state | {name: torch.from_numpy(np.array(values)) for name, values in buffers.items()}


def with_state(facts: Mapping[str, Any], state: Mapping[str, Tensor]) -> Rebuilt:
    """Network that a member file's facts describe, with the state given.

    Raises:
        ArchiveError: The state does not fit the network.
    """
    described, data = facts["network"], facts["data"]
    plain = networks.skeleton(
        networks.Settings.of(described), tuple(described["input_shape"]), described["classes"]
    )
    for name, value in state.items():
        _assign(plain, name, value, f"the member does not fit network {described['name']}")
    empty = [name for name, values in plain.state_dict().items() if values.is_meta]
    if empty:
        raise ArchiveError(f"the member does not fit network {described['name']}: it has no {empty[0]!r}")
    return Rebuilt(plain, data["mean"], data["deviation"]).eval()


def _assign(module: nn.Module, name: str, value: Tensor, problem: str) -> None:
    """Put one parameter or running statistic into a module, whatever stood there."""
    path, _, own = name.rpartition(".")
    holder = dict(module.named_modules()).get(path)
    before = getattr(holder, own, None)
    if not isinstance(before, Tensor) or before.shape != value.shape:
        shape = tuple(before.shape) if isinstance(before, Tensor) else None
        raise ArchiveError(f"{problem}: {name!r} of shape {tuple(value.shape)}, the network has {shape}")
    setattr(holder, own, nn.Parameter(value) if isinstance(before, nn.Parameter) else value)


def gate_of(member: Member) -> pruners.Gate:
    """The gate that a member's file names."""
    return pruners.resolve(member.facts["gate"], {}, epochs=1).gate


def member_weights(member: Member) -> dict[str, Tensor]:
    """Layer name → float32 effective weights of a stored member.

    Raises:
        ArchiveError: The file is damaged, or the base weights do not have the stored digest.
    """
    gains = {layer.name: layer.gain for layer in member.layers if layer.gain is not None}
    return effective_weights(gate_of(member), member.weights(), member.mask(), gains)


def stored_state(member: Member) -> dict[str, Tensor]:
    """Everything that a stored member's network needs, by the names of its state dict.

    Raises:
        ArchiveError: The file is damaged.
    """
    return member_state(
        member.facts, member.recipe, member_weights(member), member.parameters(), member.buffers()
    )


def network(member: Member) -> Rebuilt:
    """The member as a network from raw images to logits.

    Warns when the network comes from a file of the user's that has changed since.

    Raises:
        ArchiveError: The file is damaged, or the base weights do not have the stored digest.
    """
    settings = networks.Settings.of(member.facts["network"])
    if member.facts.get("network_source") != networks.source_digest(settings):
        text = f"{member.path}: the file of network {settings.name} is not the one that it was trained with"
        warnings.warn(text, stacklevel=2)
    return with_state(member.facts, stored_state(member))


def evaluate(
    module: nn.Module,
    images: UInt8[np.ndarray, "images c h w"] | UInt8[Tensor, "images c h w"],
    batch_size: int,
) -> Float[Tensor, "images classes"]:
    """Logits of raw images, batch after batch, on the module's device, as float32 on the CPU.

    Stored predictions come from here, so a rebuilt member repeats them exactly under the same batch size,
    number of threads and kind of device.
    """
    device = next(module.parameters()).device
    pixels = torch.from_numpy(np.array(images)) if isinstance(images, np.ndarray) else images
    with torch.inference_mode():
        outputs = [module(batch.to(device)).cpu() for batch in pixels.split(batch_size)]
    return torch.cat(outputs)


def predictions(
    logits: Float[Tensor, "images classes"],
) -> tuple[Shaped[np.ndarray, " images"], Float[np.ndarray, "images classes"]]:
    """Predicted classes (uint8, or uint16 beyond 256 classes) and float16 softmax outputs."""
    classes = logits.argmax(1).numpy().astype(np.uint8 if logits.shape[1] <= 256 else np.uint16)
    return classes, logits.softmax(1).numpy().astype(np.float16)


def repeat_predictions(
    member: Member, images: UInt8[np.ndarray, "images c h w"]
) -> Float[Tensor, "images classes"]:
    """Logits of a member under the batch size, threads and kind of device that its file records.

    Raises:
        ArchiveError: The file is damaged.
        ConfigError: The member was evaluated on a GPU, and there is none here.
    """
    evaluation = member.facts["evaluation"]
    for field, most in (("batch_size", 2**20), ("threads", 2**12)):
        if not 1 <= evaluation[field] <= most:
            raise ArchiveError(
                f"{member.path}: evaluation.{field} is {evaluation[field]}; allowed: 1 to {most}"
            )
    threads = torch.get_num_threads()
    device = devices.resolve(evaluation["device"])
    devices.prepare(device, evaluation["threads"])
    try:
        return evaluate(network(member).to(device), images, evaluation["batch_size"])
    finally:
        torch.set_num_threads(threads)
