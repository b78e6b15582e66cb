"""Putting a population of foreign files into a directory: a new study, or one that is there."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from masklab.archive import directory, encoding, files, study_file
from masklab.archive.exchange import content, imports, population
from masklab.archive.exchange.content import Gates
from masklab.archive.exchange.fitting import Shapes
from masklab.errors import ArchiveError, ConfigError

Provenance = Callable[[dict[str, Any] | None], dict[str, Any]]
"""Function from the study as it was stored, if it was, to the provenance of what is done now."""


@dataclass(frozen=True)
class Outcome:
    """What an import did.

    Attributes:
        population: Name of the population.
        format: Format of its files.
        written: Members that were written.
        present: Members that were there already.
        unknown: What is not known of them.
    """

    population: str
    format: str
    written: int
    present: int
    unknown: list[str]


def store(request: population.Request, out: files.Location, gates: Gates, provenance: Provenance) -> Outcome:
    """Read foreign files and write them as one population; nothing is written unless all can be.

    Args:
        request: The files, and how to read them.
        out: The study's directory; created, or joined.
        gates: What is known of gates.
        provenance: Called when something is written.

    Raises:
        ArchiveError: A file cannot be read or does not fit, or the directory is damaged or cannot be written.
        ConfigError: An option is wrong, or the population is there with other content.
    """
    _, prepared, _ = look(request, out, gates)
    with files.locked(out):  # another process may be growing the same study
        stored = _stored(out)
        # a dictionary is equal to one in another order, but the order of layers is that of every mask
        if stored is not None and list(_shapes(stored).items()) != list(prepared.shapes.items()):
            raise ArchiveError(f"{out} has become another study; import again")
        record = _joined(out, stored, prepared)
        if record != stored:
            files.write_json(out / directory.STUDY, {**record, "provenance": provenance(stored)})
    files.sweep_temporaries(out)
    missing = _missing(out, prepared)
    for index in missing:
        path = directory.member_path(out, prepared.entry["name"], index)
        files.write_atomic(path, encoding.encode(prepared.member(index)))
    return _outcome(prepared, len(missing))


def look(
    request: population.Request, out: files.Location, gates: Gates
) -> tuple[Outcome, population.Prepared, list[int]]:
    """What `store` would do, and the indices of the members that it would write; nothing is written.

    Args:
        request: See `store`.
        out: See `store`.
        gates: See `store`.

    Raises:
        ArchiveError: See `store`.
        ConfigError: See `store`.
    """
    imports.check(request.format)
    for folder in (out, out / directory.MEMBERS):
        files.refuse_file(folder)
    stored = _stored(out)
    prepared = population.prepare(request, None if stored is None else _shapes(stored), gates)
    _joined(out, stored, prepared)
    missing = _missing(out, prepared)
    return _outcome(prepared, len(missing)), prepared, missing


def _missing(out: files.Location, prepared: population.Prepared) -> list[int]:
    """Members that are not there yet."""
    entry, stock = prepared.entry, directory.Stock(out)
    return [index for index in range(entry["members"]) if not stock.member(entry["name"], index)]


def _outcome(prepared: population.Prepared, written: int) -> Outcome:
    entry, known = prepared.entry, prepared.entry["imported"]
    unknown = [*known["unknown"], *([] if known["weights"] == "whole" else ["base weights"])]
    return Outcome(entry["name"], known["format"], written, entry["members"] - written, unknown)


def _stored(out: files.Location) -> dict[str, Any] | None:
    """The study that is there.

    Raises:
        ArchiveError: It is damaged, or there are members without one.
    """
    if files.exists(out / directory.STUDY):
        return study_file.read_study(out)
    if files.exists(out / directory.MEMBERS):
        raise ArchiveError(
            f"{out} holds members but no {directory.STUDY}, so what they are is not known; give another --out"
        )
    return None


def _shapes(study: dict[str, Any]) -> Shapes:
    return {layer["name"]: tuple(layer["shape"]) for layer in study["network"]["layers"]}


def _joined(
    out: files.Location, stored: dict[str, Any] | None, prepared: population.Prepared
) -> dict[str, Any]:
    """The study with the population in it.

    Raises:
        ConfigError: A population of that name is there with other content.
    """
    entry = prepared.entry
    if stored is None:
        return _new(out, prepared)
    for held in stored["populations"]:
        if held["name"] == entry["name"]:
            if held["digest"] != entry["digest"]:
                what = "with other files or options" if held.get("imported") else "and was trained"
                raise ConfigError(
                    f"population {entry['name']!r} is in {out} {what}; give this one another --population"
                )
            return stored
    return {**stored, "populations": [*stored["populations"], entry]}


def _new(out: files.Location, prepared: population.Prepared) -> dict[str, Any]:
    """A study of which only layers and masks are known."""
    record = study_file.unknown_recipe()
    record["network"]["layers"] = [
        {"name": name, "shape": list(shape), "size": math.prod(shape)}
        for name, shape in prepared.shapes.items()
    ]
    return {
        "name": content.file_name(out) or "imported",
        **record,
        "populations": [prepared.entry],
        "warnings": [],
    }
