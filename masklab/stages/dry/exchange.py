"""What an import or an export would read and write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from masklab.archive import files, looking
from masklab.stages.dry import places


@dataclass(frozen=True)
class Import:
    """What an import would do.

    Attributes:
        population: Name of the population.
        format: Format of its files.
        files: How many there are.
        read: Their bytes.
        written: Members that would be written.
        present: Members that are there already.
        unknown: What is not known of them.
        bytes: Bytes of the member files that would be written.
    """

    population: str
    format: str
    files: int
    read: int
    written: int
    present: int
    unknown: list[str]
    bytes: int


@dataclass(frozen=True)
class Export:
    """What an export would write.

    Attributes:
        member: Its id.
        read: Bytes of its file.
        target: The file.
        replaces: Whether it is there.
        bytes: What it would hold.
        writable: Whether this process may write there, as far as the system tells.
    """

    member: str
    read: int
    target: files.Location
    replaces: bool
    bytes: int
    writable: bool


@looking.only()
def import_masks(paths: Sequence[files.Location], out: files.Location, **options: Any) -> Import:
    """What `stages.import_masks` would do; every file is read and checked.

    Args:
        paths: See `stages.import_masks`.
        out: See `stages.import_masks`.
        options: See `stages.import_masks`.

    Raises:
        ArchiveError: See `masklab.archive.exchange.store`.
        ConfigError: See `masklab.archive.exchange.store`.
    """
    from masklab.archive import encoding, exchange
    from masklab.training import exchange as gates

    outcome, prepared, missing = exchange.look(exchange.Request(paths, **options), out, gates.gates())
    places.require_possible(out)
    return Import(
        outcome.population,
        outcome.format,
        len(paths),
        sum(map(places.size, paths)),
        outcome.written,
        outcome.present,
        outcome.unknown,
        sum(len(encoding.encode(prepared.member(index))) for index in missing),
    )


@looking.only()
def export(
    out: files.Location,
    member: str,
    target: files.Location,
    *,
    format: str | None = None,
    force: bool = False,
) -> Export:
    """What `stages.export` would write.

    Args:
        out: See `stages.export`.
        member: See `stages.export`.
        target: See `stages.export`.
        format: See `stages.export`.
        force: See `stages.export`.

    Raises:
        ArchiveError: See `stages.export`.
        ConfigError: See `stages.export`.
    """
    from masklab import stages
    from masklab.archive import Archive

    data = stages.exported(out, member, target, format=format, force=force)
    places.require_possible(target.parent)
    read = places.size(Archive(out).member(member).path)
    return Export(member, read, target, files.exists(target), len(data), places.writable(target))
