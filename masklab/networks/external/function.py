"""The user's own networks: a function or class that gives an `nn.Module`."""

import functools
import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masklab.errors import ConfigError
from masklab.networks.description import InputShape, Settings
from masklab.networks.external import problems

if TYPE_CHECKING:
    from torch import nn

_SHAPE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_DEFAULTS = {"width": 1.0, "activation": "relu"}


def check(settings: Settings) -> None:
    """Check the shape of the name.

    Raises:
        ConfigError: It is not `package.module:function`.
    """
    if not _SHAPE.fullmatch(settings.name):
        raise ConfigError(
            f"network.name {settings.name!r}: allowed: a builtin network, torchvision:<model>, or "
            "package.module:function"
        )


def build(settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
    """What the function gives.

    It is called with those of `input_shape`, `classes`, `width`, `activation` and `batchnorm` that its
    signature names, or with all of them when it takes `**kwargs`.

    Raises:
        ConfigError: It cannot be imported or called, gives no module, or ignores a field that is set.
    """
    from torch import nn

    function = _import(settings)
    arguments = _arguments(settings, input_shape, classes, function)
    where = problems.where(settings)
    try:
        module = function(**arguments)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ConfigError(f"{where}: failed with {problems.line(error)}") from error
    if not isinstance(module, nn.Module):
        raise ConfigError(f"{where}: gives {type(module).__name__}; expected a torch.nn.Module")
    return module


def source_digest(settings: Settings) -> str | None:
    """SHA-256 of the file that holds the function; None where there is none to read.

    Raises:
        ConfigError: It cannot be imported.
    """
    try:
        path = inspect.getsourcefile(inspect.unwrap(_import(settings)))
        return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (TypeError, OSError):  # built in, or its file is gone
        return None


def _import(settings: Settings) -> Callable[..., Any]:
    module_name, _, attribute = settings.name.partition(":")
    where, here = problems.where(settings), str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        # Last, so that it hides nothing installed; for good, because networks may import when they run.
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ConfigError(
            f"{where}: cannot import {module_name} (installed, or in the current folder): "
            f"{problems.line(error)}"
        ) from error
    if not hasattr(module, attribute):
        raise ConfigError(f"{where}: {module_name} has no {attribute!r}")
    function = getattr(module, attribute)
    if not (inspect.isfunction(function) or _gives_modules(function)):
        raise ConfigError(
            f"{where}: {attribute} is {type(function).__name__}; expected a function or class that gives a "
            "torch.nn.Module"
        )
    return function


def _gives_modules(value: Any) -> bool:
    """Whether a value is a class of modules, or a call of a function or such a class with some arguments."""
    from torch import nn

    if isinstance(value, functools.partial):
        return inspect.isfunction(value.func) or _gives_modules(value.func)
    return inspect.isclass(value) and issubclass(value, nn.Module)


def _arguments(
    settings: Settings, input_shape: InputShape, classes: int, function: Callable[..., Any]
) -> dict[str, Any]:
    offered: dict[str, Any] = {
        "input_shape": input_shape,
        "classes": classes,
        "width": settings.width,
        "activation": settings.activation,
        "batchnorm": settings.batchnorm,
    }
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return offered
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {o.name for o in parameters if o.kind in by_name} & set(offered)
    for key, default in _DEFAULTS.items():
        if key not in taken and offered[key] != default:
            raise ConfigError(
                f"network.{key} {offered[key]!r} has no effect: the signature of {settings.name} does not "
                f"name {key}; allowed: {default!r}"
            )
    return {key: value for key, value in offered.items() if key in taken}
