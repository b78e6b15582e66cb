"""Foreign files as members of one population: read and checked whole before anything is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from masklab.archive import encoding, files, study_file
from masklab.archive.exchange import containers, content, fitting, imports
from masklab.archive.exchange.content import Gates
from masklab.archive.exchange.fitting import Fitted, Read, Shapes
from masklab.archive.exchange.source import Asked
from masklab.errors import ArchiveError, ConfigError


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes:
        places: The foreign files; each becomes a member, in this order.
        population: Name of the population; None: made from format and density.
        format: Name of the format; None: whatever the content says.
        density: Fraction kept, for files that hold scores.
        prune_rate: The same by the name that reference code gives it.
        by_order: Whether layers are matched by their position.
    """

    places: Sequence[files.Location]
    population: str | None = None
    format: str | None = None
    density: float | None = None
    prune_rate: float | None = None
    by_order: bool = False


@dataclass(frozen=True)
class Prepared:
    """A population that can be written.

    Attributes:
        entry: Its entry in `study.json`.
        shapes: Its layers.
    """

    entry: dict[str, Any]
    shapes: Shapes
    _request: Request
    _gates: Gates
    _joined: Shapes | None

    def member(self, index: int) -> encoding.Content:
        """Content of one member, from its file, which is read again.

        Raises:
            ArchiveError: The file is not the one that was checked.
        """
        read = _read(self._request.places[index], self._request, self._joined)
        if read.sha256 != self.entry["imported"]["files"][index]["sha256"]:
            raise ArchiveError(f"{read.place} changed while it was imported; import it again")
        return content.member(
            _fit(read, self._request, self._joined, self.shapes), self.entry, index, self._gates
        )


def prepare(request: Request, joined: Shapes | None, gates: Gates) -> Prepared:
    """Read and check every file.

    Args:
        request: What the user asks for.
        joined: Layers of the study that the masks join; None: a new study, with those of the first file.
        gates: What is known of gates.

    Raises:
        ArchiveError: A file cannot be read, has no masks, or masks of other layers.
        ConfigError: An option is missing, wrong, or has no effect.
    """
    if request.population is not None and not study_file.POPULATION_NAME.fullmatch(request.population):
        raise ConfigError(
            f"--population {request.population!r}; allowed: a-z, 0-9, '.', '+', '_' and '-', no '.' first"
        )
    shapes, first, listed, kept, size = joined, None, [], 0, 0
    for fitted in _checked(request, joined, gates):
        first = first or fitted.read
        masks = fitted.found.masks
        shapes = shapes or {name: mask.shape for name, mask in masks.items()}
        kept += sum(int(mask.sum()) for mask in masks.values())
        size += sum(mask.size for mask in masks.values())
        listed.append({"name": content.file_name(fitted.read.place), "sha256": fitted.read.sha256})
    if first is None or shapes is None:
        raise ConfigError("no file to import; name at least one")
    density = first.found.density or float(f"{kept / size:.3g}")
    name = request.population or f"imported-{first.format}-d{density:g}"
    entry = content.entry(first, name, density, listed, shapes, gates)
    return Prepared({**entry, "digest": _digest(entry, shapes, request)}, shapes, request, gates, joined)


def _checked(request: Request, joined: Shapes | None, gates: Gates) -> Iterator[Fitted]:
    """The files, each encoded once: whatever cannot be stored is found before anything is."""
    shapes, first = joined, None
    for place in request.places:
        read = _read(place, request, joined)
        fitted = _fit(read, request, joined, shapes)
        first = first or read
        own, other = (
            f"of format {one.format} with weights known: {content.known_weights(one.found)}"
            for one in (read, first)
        )
        if own != other:
            raise ArchiveError(
                f"{place} is {own}; {first.place} {other}; import them as populations of their own"
            )
        shapes = shapes or {name: mask.shape for name, mask in fitted.found.masks.items()}
        draft = {**content.entry(read, "draft", 0.5, [], shapes, gates), "digest": ""}
        encoding.encode(content.member(fitted, draft, 0, gates))
        yield fitted


def _read(place: files.Location, request: Request, joined: Shapes | None) -> Read:
    layers = None if joined is None or request.by_order else list(joined)
    asked = Asked(request.density, request.prune_rate, layers, forced=request.format is not None)
    foreign, sha256 = containers.read(place)
    module = imports.choose(foreign, request.format)
    found = module.read(foreign, asked)
    given = {"--density": request.density, "--prune-rate": request.prune_rate}
    useless = [name for name, value in given.items() if value is not None and found.density is None]
    if useless:
        raise ConfigError(f"{useless[0]} has no effect: {place} ({module.NAME}) holds masks, not scores")
    return Read(place, foreign, module.NAME, found, sha256)


def _fit(read: Read, request: Request, joined: Shapes | None, shapes: Shapes | None) -> Fitted:
    against = "the study" if joined is not None else str(request.places[0])
    return fitting.fit(read, shapes, against, by_order=request.by_order)


def _digest(entry: dict[str, Any], shapes: Shapes, request: Request) -> str:
    """What makes a population of foreign files another one: their bytes, and how they were read."""
    return study_file.digest(
        {
            "gate": entry["gate"],
            "density": entry["density"],
            "format": entry["imported"]["format"],
            "by_order": request.by_order,
            "layers": [[name, list(shape)] for name, shape in shapes.items()],
            "files": [described["sha256"] for described in entry["imported"]["files"]],
        }
    )
