"""What the landscape measures, and how: the study's `[analysis]`, and what the command line changes."""

import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from masklab import study as studies
from masklab.errors import ArchiveError, ConfigError, unknown

Settings = studies.Analysis


def of(study: Mapping[str, Any]) -> Settings:
    """Settings of a stored study; what an older one does not say has its default.

    Raises:
        ArchiveError: One of them was edited into something that is not allowed.
    """
    try:
        return Settings.model_validate(study["analysis"])
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, ("analysis", *first["loc"])))
        raise ArchiveError(f"study.json: {field}: {first['msg']} (got {first['input']!r:.60})") from error


def path_names() -> list[str]:
    """Every path that there is; nothing is imported."""
    folder = Path(__file__).parent / "paths"
    return [entry.name.replace("_", "-") for entry in pkgutil.iter_modules([str(folder)])]


def with_paths(settings: Settings, names: Sequence[str] | None) -> Settings:
    """Settings with the paths that the command line names, all of them known.

    Args:
        settings: The study's.
        names: Names of paths; None: the study's.

    Raises:
        ConfigError: There is no such path, or one is named twice.
    """
    chosen = settings.paths if names is None else list(names)
    for name in chosen or ():
        if name not in path_names():
            raise ConfigError(unknown("path", name, path_names()))
    if chosen is not None and (len(set(chosen)) < len(chosen) or not chosen):
        raise ConfigError(f"paths: {', '.join(chosen) or 'none'}; name each path once, at least one")
    return settings.model_copy(update={"paths": chosen})


def without_paths(settings: Settings, names: Sequence[str]) -> Settings:
    """Settings without some of the paths that they name; without any path no pair is walked."""
    left = [name for name in settings.paths or () if name not in names]
    changed: dict[str, Any] = {"paths": left} if left else {"interpolation_pairs": 0}
    return settings.model_copy(update=changed)


def grid(settings: Settings) -> list[float]:
    """Positions on a path, 0 … 1, ends included."""
    last = settings.interpolation_points - 1
    return [point / last for point in range(settings.interpolation_points)]
