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

    def check(self, layers: Sequence[tuple[str, int, int | None]], options: Any) -> list[str]:
        """Notes on (name, size, kept or None where it is not fixed) of the layers, or a ConfigError."""
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

    TRAINS: bool
    """Whether the weights themselves are trained, without a mask."""
    COMPARED: bool
    """Whether its masks take part in overlaps."""

    def draw_mask(self, random: np.random.RandomState, weight: Any, kept: int, source: Any) -> Any:
        """Boolean mask of one layer, flat, from its final weights or its source's mask."""
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

    @property
    def trains_scores(self) -> bool:
        """Whether masks are found by training scores, as every gate does."""
        return self.control is None

    @property
    def trains_weights(self) -> bool:
        """Whether the weights themselves are trained."""
        return self.control is not None and self.control.TRAINS

    @property
    def trained(self) -> bool:
        """Whether anything is trained."""
        return self.trains_scores or self.trains_weights

    @property
    def ignores(self) -> tuple[str, ...]:
        """Fields of the recipe that have no effect on it; a population of it may not override them."""
        if self.trains_scores:
            return ()
        return ("score_init", "rank", "selection", *(["fan_scale"] if self.trains_weights else []))

    @property
    def compared(self) -> bool:
        """Whether its masks take part in overlaps."""
        return self.control is None or self.control.COMPARED

    @property
    def source(self) -> str | None:
        """Name of the population that this one is made from."""
        return getattr(self.options, "of", None)

    @property
    def event_unit(self) -> Literal["epoch", "step"]:
        """What the refresh's events are counted in."""
        return "step" if getattr(self.options, "period_steps", None) else "epoch"

    def event_epochs(self, epochs: int) -> list[int]:
        """Epochs (from 0) after which the refresh fires; empty without one."""
        return self.options.event_epochs(epochs) if isinstance(self.options, RefreshOptions) else []

    def fires_before(self, step: int) -> bool:
        """Whether the refresh fires before a step (from 0)."""
        return isinstance(self.options, RefreshOptions) and self.options.fires_before(step)

    def check(self, layers: Sequence[tuple[str, int, int | None]], steps: int) -> list[str]:
        """Notes of the refresh on these layers (see `Refresh.check`).

        Raises:
            ConfigError: The refresh does not fit, or would not fire in so many steps.
        """
        period = getattr(self.options, "period_steps", None)
        if period and period > steps:
            raise ConfigError(
                f"no {self.refresh_name} event would fire in {steps} steps with period_steps = {period}"
            )
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


def resolve(name: str, given: Mapping[str, Any], epochs: int, source_gate: str | None = None) -> Pruner:
    """Pruner of a name with the options given, defaults filled in.

    Args:
        name: `<gate>`, `<gate>+<refresh>` or a control.
        given: Option name → value.
        epochs: Length of the training, for the default period of a refresh.
        source_gate: Gate of the population that a control is made from.

    Raises:
        ConfigError: Unknown pruner or gate, or a period at which no event would fire.
        pydantic.ValidationError: An option is unknown or out of range.
    """
    gate, refresh, control = parse(name)
    options = options_type(name)(**given)
    if isinstance(options, RefreshOptions) and options.period_steps is not None:
        if options.period is not None:
            raise ConfigError("give period (epochs) or period_steps, not both")
    elif isinstance(options, RefreshOptions):
        if options.period is None:
            options = options.model_copy(update={"period": default_period(epochs)})
        if not options.event_epochs(epochs):
            raise ConfigError(
                f"no {refresh} event would fire in {epochs} epochs with a period of {options.period} "
                "(events fire after every period-th epoch, neither the first nor the last)"
            )
    if control and "gate" in type(options).model_fields and getattr(options, "gate", None) is None:
        options = options.model_copy(update={"gate": _plain_gate()})
    gate = gate or getattr(options, "gate", None) or source_gate or _plain_gate()
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
            if info.default is not None and not info.is_required()
            else str(info.description)
            for field, info in options.model_fields.items()
        },
    )
