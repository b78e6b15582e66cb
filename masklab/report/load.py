"""Reading an `analysis/` folder: results and distances, checked before anything is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pydantic
from jaxtyping import Float64

from masklab.archive import directory as layout
from masklab.archive import files
from masklab.errors import ArchiveError
from masklab.report import checks, models, records
from masklab.report.landscape import rows as landscape

RESULTS = "results.json"
OVERLAP = "overlap.npz"
LANDSCAPE = "landscape.npz"
WHOLE = "whole"
SCHEMA = 3


@dataclass(frozen=True)
class Distances:
    """Whole-mask distances of the stored members of all compared populations.

    Attributes:
        ids: Member ids, row by row.
        hamming: Fraction of differing bits.
    """

    ids: list[str]
    hamming: Float64[np.ndarray, "members members"]


Surface = Float64[np.ndarray, "y x"]


@dataclass(frozen=True)
class Analysis:
    """One analysed study.

    Attributes:
        directory: The study's directory.
        results: What `results.json` says.
        distances: Whole-mask distances; None when no member is stored that is compared, and where the results
            are `without_pairs`.
        surfaces: Accuracy over each plane, by the name of its array.
    """

    directory: files.Location
    results: models.Results
    distances: Distances | None
    surfaces: Mapping[str, Surface] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Its fields: what this process keeps to look rows up may change while it travels to another."""
        return {own.name: getattr(self, own.name) for own in fields(self)}

    @property
    def study(self) -> models.Study:
        """The resolved study."""
        return self.results.study

    @cached_property
    def names(self) -> list[str]:
        """Population names in the study's order."""
        return [population.name for population in self.results.populations]

    @cached_property
    def compared(self) -> list[str]:
        """Names of the populations that take part in overlaps, in the study's order."""
        return [population.name for population in self.results.populations if population.compared]

    @cached_property
    def blocks(self) -> list[int]:
        """Draws of base weights that stored members use, ascending."""
        return sorted({member.block for member in self.results.members})

    @cached_property
    def members(self) -> dict[str, models.Member]:
        """Stored members by id."""
        return {member.id: member for member in self.results.members}

    @cached_property
    def _accuracy(self) -> dict[tuple[str, str], models.Accuracy]:
        return {(row.population, row.metric): row for row in self.results.accuracy}

    @cached_property
    def _overlap(self) -> dict[tuple[str, ...], models.Overlap]:
        return {
            (row.a, row.b, row.layer, row.metric, row.block, row.seed): row for row in self.results.overlap
        }

    @cached_property
    def _stability(self) -> dict[tuple[str, str, str], records.Measured]:
        return {(row.population, row.layer, row.block): row for row in self.results.stability}

    @cached_property
    def _structure(self) -> dict[tuple[str, str, str, str | None], records.Structure]:
        rows = (row for row in self.results.structure if row.block is None)
        return {(row.population, row.layer, row.metric, row.axis): row for row in rows}

    @cached_property
    def _paths(self) -> dict[tuple[str, ...], landscape.Path]:
        return {
            (row.a, row.b, row.path, row.split, row.block, row.seed): row for row in self.results.landscape
        }

    def accuracy(self, population: str, metric: models.AccuracyMetric = "accuracy") -> models.Accuracy | None:
        """Accuracy row of a population, or None when that metric was not recorded."""
        return self._accuracy.get((population, metric))

    def overlap(
        self,
        a: str,
        b: str,
        metric: str,
        layer: str = WHOLE,
        *,
        block: records.Block = "within",
        seed: records.Seed = "different",
    ) -> models.Overlap | None:
        """Overlap row of an unordered pair of populations, or None when there are no such pairs."""
        first, second = sorted((a, b), key=self.names.index)
        return self._overlap.get((first, second, layer, metric, block, seed))

    def path(
        self,
        a: str,
        b: str,
        block: records.Block = "within",
        seed: records.Seed = "different",
        *,
        path: str = "linear",
        split: landscape.Split = "test",
    ) -> landscape.Path | None:
        """Row of an unordered pair of populations on a path, or None when there is none."""
        first, second = sorted((a, b), key=self.names.index)
        return self._paths.get((first, second, path, split, block, seed))

    def stability(
        self, population: str, layer: str = WHOLE, block: str = "within"
    ) -> records.Measured | None:
        """Stability of a population in a layer, or None when it is not compared."""
        return self._stability.get((population, layer, block))

    def structure(
        self, population: str, metric: str, layer: str = WHOLE, axis: str | None = None
    ) -> records.Structure | None:
        """Number on the structure of a population's masks, or None when it was not measured."""
        return self._structure.get((population, layer, metric, axis))

    def movement(self, population: str, metric: models.MovementMetric) -> list[models.Movement]:
        """Whole-mask rows of one population that have a value, by the middle of their epochs."""
        found = [
            row
            for row in self.results.movement
            if (row.population, row.metric, row.layer) == (population, metric, WHOLE)
            and row.estimate.value is not None
        ]
        return sorted(found, key=lambda row: (row.epoch + row.to, row.epoch))


def read(directory: files.Location) -> Analysis:
    """Read one analysed study.

    Args:
        directory: The study's directory (`--out` of `masklab train`).

    Raises:
        ArchiveError: It was not analysed, or a file is damaged or incomplete.
    """
    folder = directory / layout.ANALYSIS
    path = folder / RESULTS
    if not files.exists(path):
        raise ArchiveError(f"{path} does not exist; run `masklab analyze {directory}` first")
    results = _parse(path, files.read_json(path))
    checks.check(path, results)
    compared = {population.name for population in results.populations if population.compared}
    stored = {member.id for member in results.members if member.population in compared}
    pairs = stored and results.without_pairs is None
    distances = _distances(folder / OVERLAP, stored) if pairs else None
    return Analysis(directory, results, distances, _surfaces(folder / LANDSCAPE, results.planes))


def distinct(analyses: Sequence[Analysis]) -> list[Analysis]:
    """The analyses, studies of equal name told apart by their directories' names."""
    names = [analysis.study.name for analysis in analyses]
    found = []
    for analysis in analyses:
        if names.count(analysis.study.name) > 1:
            label = f"{analysis.study.name} ({analysis.directory.resolve().name})"
            study = analysis.study.model_copy(update={"name": label})
            results = analysis.results.model_copy(update={"study": study})
            analysis = replace(analysis, results=results)  # noqa: PLW2901
        found.append(analysis)
    return found


def _parse(path: files.Location, document: Any) -> models.Results:
    if not isinstance(document, Mapping):
        raise ArchiveError(f"{path} is not a masklab analysis (no JSON object)")
    if document.get("schema") != SCHEMA:
        raise ArchiveError(
            f"{path}: schema {document.get('schema')!r}; this version of masklab reads schema {SCHEMA}: run "
            "`masklab analyze` again"
        )
    try:
        files.canonical_json(document)
        return models.Results.model_validate({**document, "schema_version": SCHEMA})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ArchiveError(f"{path}: {where}: {first['msg']}{more}; run `masklab analyze` again") from error
    except ValueError as error:
        raise ArchiveError(f"{path} holds a number that is not finite") from error


def _distances(path: files.Location, stored: set[str]) -> Distances:
    if not files.exists(path):
        raise ArchiveError(f"{path} does not exist; run `masklab analyze` again")
    arrays = files.read_arrays(path, ("ids", "hamming"))
    try:
        ids, hamming = [str(name) for name in arrays["ids"]], np.asarray(arrays["hamming"], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArchiveError(f"{path} is damaged: {error}") from error
    if set(ids) != stored or len(ids) != len(stored):
        raise ArchiveError(
            f"{path}: its members are not those of {RESULTS} that are compared; run `masklab analyze` again"
        )
    if hamming.shape != (len(ids), len(ids)) or not np.isfinite(hamming).all():
        raise ArchiveError(f"{path}: hamming is not a finite {len(ids)} × {len(ids)} matrix")
    return Distances(ids, hamming)


def _surfaces(path: files.Location, planes: Sequence[landscape.Plane]) -> dict[str, Surface]:
    """Accuracy over each plane."""
    if not planes:
        return {}
    if not files.exists(path):
        raise ArchiveError(f"{path} does not exist; run `masklab analyze` again")
    arrays = files.read_arrays(path, [f"{plane.array}/accuracy" for plane in planes])
    found = {}
    for plane in planes:
        try:
            surface = np.asarray(arrays[f"{plane.array}/accuracy"], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ArchiveError(f"{path} is damaged: {error}") from error
        if surface.shape != (len(plane.y), len(plane.x)) or not np.isfinite(surface).all():
            raise ArchiveError(
                f"{path}: {plane.array}/accuracy is not a finite {len(plane.y)} × {len(plane.x)} matrix"
            )
        found[plane.array] = surface
    return found
