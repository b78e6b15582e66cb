"""Classification models of torchvision, without trained weights."""

import re
from typing import TYPE_CHECKING, Any

from masklab.errors import ConfigError, unknown
from masklab.networks.description import InputShape, Settings
from masklab.networks.external import problems

if TYPE_CHECKING:
    from torch import nn

PREFIX = "torchvision:"


def check(settings: Settings) -> None:
    """Check the shape of the name, and that no field is given that torchvision's models do not have.

    Raises:
        ConfigError: One of these.
    """
    if not re.fullmatch(r"\w+", settings.name.removeprefix(PREFIX)):
        raise ConfigError(f"network.name {settings.name!r}: allowed: torchvision:<model>")
    for key, got, allowed in (("width", settings.width, 1.0), ("activation", settings.activation, "relu")):
        if got != allowed:
            raise ConfigError(
                f"network.{key} {got!r} has no effect on {settings.name}, whose {key} is its own; allowed: "
                f"{allowed!r}"
            )


def build(settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
    """The model on the default device.

    Raises:
        ConfigError: torchvision cannot be imported, has no such model, or refuses the image size.
    """
    where = problems.where(settings)
    try:
        from torchvision import models
    except (ImportError, RuntimeError, AttributeError, OSError) as error:  # wheels that do not fit torch's
        raise ConfigError(f"{where}: torchvision cannot be imported: {problems.line(error)}") from error
    name, known = settings.name.removeprefix(PREFIX), models.list_models(module=models)
    if name not in known:
        raise ConfigError(f"network.name: {unknown('torchvision model', name, known)}")
    try:
        return models.get_model(name, weights=None, num_classes=classes, **_options(name, input_shape))
    except (AssertionError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{where}: cannot be built for images of {problems.shape(input_shape)}: {problems.line(error)}"
        ) from error


def _options(name: str, input_shape: InputShape) -> dict[str, Any]:
    """What some models must be told: one output instead of three, and the size of the images."""
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": False}
    if name.startswith("vit_"):
        return {"image_size": input_shape[1]}
    if name.startswith("maxvit_"):
        return {"input_size": input_shape[1:]}
    return {}
