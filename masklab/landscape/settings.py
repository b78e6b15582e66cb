"""What the landscape measures, and how: the study's `[analysis]`, and what the command line changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from masklab.errors import ConfigError, unknown

Statistics = Literal["keep", "re-estimate"]


@dataclass(frozen=True)
class Settings:
    """Sampling of the landscape; the fields of `[analysis]` in a study file.

    Attributes:
        interpolation_pairs: Most pairs of members per cell of populations; 0 = no landscape.
        interpolation_points: Points on each path, ends included.
        paths: Names in `masklab.landscape.paths`; None: all that the members allow.
        path_orders: Random orders (or draws) of each path that is random.
        batchnorm_statistics: `"keep"` (the ends' own, interpolated between them) or `"re-estimate"` (plain
            means over training batches), where the network has running statistics.
        batchnorm_batches: Batches of training images for that.
        landscape_images: Most test images; and at most half as many training images.
    """

    interpolation_pairs: int = 6
    interpolation_points: int = 11
    paths: tuple[str, ...] | None = None
    path_orders: int = 2
    batchnorm_statistics: Statistics = "re-estimate"
    batchnorm_batches: int = 8
    landscape_images: int = 1000

    @property
    def grid(self) -> list[float]:
        """Positions on a path, 0 … 1."""
        last = self.interpolation_points - 1
        return [point / last for point in range(self.interpolation_points)]

    def with_paths(self, names: Sequence[str] | None, known: Sequence[str]) -> "Settings":
        """These, with the paths that the command line names.

        Raises:
            ConfigError: There is no such path, or one is named twice.
        """
        chosen = self.paths if names is None else tuple(names)
        for name in chosen or ():
            if name not in known:
                raise ConfigError(unknown("path", name, known))
        if chosen is not None and len(set(chosen)) < len(chosen):
            raise ConfigError(f"paths: {', '.join(chosen)}: one is named twice")
        return replace(self, paths=chosen)


def of(study: Mapping[str, Any]) -> Settings:
    """Settings of a stored study; what an older one does not say has its default."""
    given = {key: value for key, value in study["analysis"].items() if key in Settings.__dataclass_fields__}
    if given.get("paths") is not None:
        given["paths"] = tuple(given["paths"])
    return Settings(**given)
