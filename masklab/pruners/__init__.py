"""Pruners: a gate, alone or with a refresh; and controls. The folders are the registry.

Adding a file to `gates/`, `refreshes/` or `controls/` adds it to the command line, the study file, the
documentation table and the conformance tests.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np

from masklab.errors import ConfigError, unknown
from masklab.pruners.options import Options, RefreshOptions, default_period

Kind = Literal["gate", "refresh", "control"]

_FOLDERS: dict[Kind, str] = {"gate": "gates", "refresh": "refreshes", "control": "controls"}


@runtime_checkable
class Gate(Protocol):
    """What a file in `gates/` offers; arrays are torch tensors with the member axis first."""

    def gain(self, weight: Any, mask: Any) -> Any:
        """Factor per member on the kept weights, or None."""
        ...

    def effective_weight(self, weight: Any, mask: Any, gain: Any) -> Any:
        """What the forward pass uses."""
        ...


@runtime_checkable
class Refresh(Protocol):
    """What a file in `refreshes/` offers."""

    ORIGIN: str
    Options: type[RefreshOptions]

    def check(self, layers: Sequence[tuple[str, int, int]], options: Any) -> list[str]:
        """Notes on (name, size, kept) of the layers, or a ConfigError."""
        ...

    def refresh(
        self,
        weight: Any,
        origin: Any,
        key: Any,
        mask: Any,
        event: int,
        draw: Callable[[int], tuple[np.ndarray, np.random.RandomState]],
        options: Any,
    ) -> None:
        """Change `weight` and `origin` in place."""
        ...


@runtime_checkable
class Control(Protocol):
    """What a file in `controls/` offers."""

    Options: type[Options]

    def draw_mask(self, random: np.random.RandomState, size: int, kept: int) -> Any:
        """Boolean mask of one layer, flat."""
        ...


@dataclass(frozen=True)
class Pruner:
    """A resolved pruner: its parts, and its options with every default filled in."""

    name: str
    gate_name: str
    refresh_name: str | None
    control_name: str | None
    options: Options

    @property
    def gate(self) -> Gate:
        """The gate's functions."""
        return cast(Gate, modules("gate")[self.gate_name])

    @property
    def refresh(self) -> Refresh | None:
        """The refresh's functions, if there is one."""
        return cast(Refresh, modules("refresh")[self.refresh_name]) if self.refresh_name else None

    @property
    def control(self) -> Control | None:
        """The control's functions, if this is one."""
        return cast(Control, modules("control")[self.control_name]) if self.control_name else None

    def events(self, epochs: int) -> list[int]:
        """Epochs (from 0) after which the refresh fires; empty without one."""
        return self.options.events(epochs) if isinstance(self.options, RefreshOptions) else []

    def check(self, layers: Sequence[tuple[str, int, int]]) -> list[str]:
        """Notes of the refresh on these layers (see `Refresh.check`)."""
        return self.refresh.check(layers, self.options) if self.refresh else []


@dataclass(frozen=True)
class Description:
    """What a file in the folders says of itself."""

    name: str
    kind: Kind
    rule: str
    source: str
    options: Mapping[str, str]


@cache
def modules(kind: Kind) -> Mapping[str, ModuleType]:
    """Name → module of every file in a kind's folder."""
    package = importlib.import_module(f"masklab.pruners.{_FOLDERS[kind]}")
    return {
        entry.name.replace("_", "-"): importlib.import_module(f"{package.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(package.__path__)
    }


def names() -> list[str]:
    """Every pruner name: gates, gates with each refresh, controls."""
    gates, refreshes = list(modules("gate")), list(modules("refresh"))
    products = [f"{gate}+{refresh}" for refresh in refreshes for gate in gates]
    return [*gates, *products, *modules("control")]


def parse(name: str) -> tuple[str | None, str | None, str | None]:
    """(gate, refresh, control) of a pruner's name.

    Raises:
        ConfigError: There is no such pruner.

    Examples:
        >>> parse("biprop+recycle")
        ('biprop', 'recycle', None)
    """
    if name not in names():
        raise ConfigError(unknown("pruner", name, names()))
    if name in modules("control"):
        return None, None, name
    gate, _, refresh = name.partition("+")
    return gate, refresh or None, None


def options_type(name: str) -> type[Options]:
    """Type of the options that a pruner takes."""
    _, refresh, control = parse(name)
    if refresh:
        return cast(Refresh, modules("refresh")[refresh]).Options
    return cast(Control, modules("control")[control]).Options if control else Options


def resolve(name: str, given: Mapping[str, Any], epochs: int) -> Pruner:
    """Pruner of a name with the options given, defaults filled in.

    Args:
        name: `<gate>`, `<gate>+<refresh>` or a control.
        given: Option name → value.
        epochs: Length of the training, for the default period of a refresh.

    Raises:
        ConfigError: Unknown pruner or gate, or a period at which no event would fire.
        pydantic.ValidationError: An option is unknown or out of range.
    """
    gate, refresh, control = parse(name)
    options = options_type(name)(**given)
    if isinstance(options, RefreshOptions):
        if options.period is None:
            options = options.model_copy(update={"period": default_period(epochs)})
        if not options.events(epochs):
            raise ConfigError(
                f"no {refresh} event would fire in {epochs} epochs with a period of {options.period} "
                "(events fire after every period-th epoch, neither the first nor the last)"
            )
    if control and getattr(options, "gate", None) is None:
        options = options.model_copy(update={"gate": _plain_gate()})
    gate = gate or getattr(options, "gate", "")
    if gate not in modules("gate"):
        raise ConfigError(unknown("gate", gate, modules("gate")))
    return Pruner(name, gate, refresh, control, options)


def _plain_gate() -> str:
    """The gate under which kept weights act as they are."""
    return next(name for name, module in modules("gate").items() if getattr(module, "PLAIN", False))


def describe(name: str) -> list[Description]:
    """The parts of a pruner, as their files describe themselves.

    Raises:
        ConfigError: There is no such pruner.
    """
    gate, refresh, control = parse(name)
    parts: list[tuple[Kind, str | None]] = [("gate", gate), ("refresh", refresh), ("control", control)]
    return [_description(kind, part) for kind, part in parts if part]


def _description(kind: Kind, name: str) -> Description:
    module = modules(kind)[name]
    text = (module.__doc__ or "").strip()
    rule, _, rest = text.partition("\n")
    source = " ".join(rest.partition("Source:")[2].split())
    options: type[Options] = getattr(module, "Options", Options)
    return Description(
        name,
        kind,
        rule.strip(),
        source,
        {
            field: f"{info.description} (default {info.default})"
            if info.default is not None
            else str(info.description)
            for field, info in options.model_fields.items()
        },
    )
