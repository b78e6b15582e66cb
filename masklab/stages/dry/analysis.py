"""What an analysis would compare and evaluate."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from masklab import bits, parallel
from masklab.analysis import inputs, sections, tiles
from masklab.analysis.nulls import twins
from masklab.archive import Archive, directory, files, looking
from masklab.errors import DataError
from masklab.stages import analysis, sharing
from masklab.stages.dry import places
from masklab.training import shards

if TYPE_CHECKING:
    from masklab.landscape import plan as plans

_TRIAL_S, _TRIAL_ROWS, _TRIAL_BITS = 0.1, 256, 2**20
"""How long the speed of counting is measured, and on how many masks and bits at most."""

_PER_EVALUATION = 6
"""Bytes that are kept of an evaluation until the results are written: class (1 or 2) and loss (4)."""

_PER_CELL, _PER_MEMBER, _PER_NETWORK = 20_000, 2_000, 600
"""Bytes of results, about, in JSON and tables together: per pair of populations in a layer or the whole mask,
per member, and per network of the landscape."""


@dataclass(frozen=True)
class Parts:
    """Parts of an analysis that workers or shards may compute.

    Attributes:
        number: All that are asked for.
        left: Those that are not there yet.
    """

    number: int
    left: int


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an analysis would do.

    Attributes:
        out: The study's directory.
        shard: Which part was asked for, as `i/n`.
        members: Compared members.
        pairs: Pairs of them; 0 where they do not fit the memory.
        layers: Masked layers.
        twins: Populations of random masks that are compared in the same way.
        compared: Bits that all pairs, those of the twins included, have to be compared in.
        seconds: Time of counting them, at the speed measured now.
        tiles: Of the members' pairs.
        pieces: Of the landscape.
        needed: Bytes that the pairs take.
        memory: Bytes that may be used.
        results: Bytes that are written, about.
        meanwhile: Bytes that are kept in the directory until then.
        free: Bytes that are free there; None where nobody says.
        writable: Whether this process may write there, as far as the system tells.
        replaces: Whether results are there.
        landscape: What would be evaluated; None where there is nothing.
        why: Why the landscape cannot be measured; empty where it can.
    """

    out: files.Location
    shard: str
    members: int
    pairs: int
    layers: int
    twins: int
    compared: int
    seconds: float
    tiles: Parts
    pieces: Parts
    needed: int
    memory: int
    results: int
    meanwhile: int
    free: int | None
    writable: bool
    replaces: bool
    landscape: "plans.Plan | None"
    why: str


@looking.only()
def analyze(
    out: files.Location,
    shard: shards.Shard | None = None,
    *,
    jobs: int = 0,
    memory: int | None = None,
    **landscape: Any,
) -> Analysis:
    """What `stages.analyze` or `stages.analyze_shard` would do on this machine.

    Args:
        out: See `stages.analyze`.
        shard: See `stages.analyze_shard`; None: all of it.
        jobs: See `stages.analyze`.
        memory: See `stages.analyze`.
        landscape: See `stages.analyze`.

    Raises:
        ArchiveError: See `stages.analyze`.
        ConfigError: See `stages.analyze`.
    """
    archive, memory = Archive(out), tiles.MEMORY if memory is None else memory
    files.refuse_file(out / directory.ANALYSIS)
    threads = jobs or parallel.cores()
    plan, why = _landscape(out, threads, landscape)
    parts = sharing.Parts(archive, memory, plan, shard or shards.WHOLE)
    number, left = parts.number, parts.missing()  # refuses a memory that is too little
    sizes = [layer["size"] for layer in archive.study["network"]["layers"]]
    members, pairs, drawn = _pairs(len(archive.compared), sizes, memory)
    bits_compared = (1 + drawn) * pairs * sum(sizes)
    return Analysis(
        out=out,
        shard=str(parts.shard),
        members=members,
        pairs=pairs,
        layers=len(sizes),
        twins=drawn,
        compared=bits_compared,
        seconds=bits_compared / _rate(members, max(sizes), threads) if pairs else 0.0,
        tiles=Parts(len(number.tiles), len(left.tiles)),
        pieces=Parts(len(number.pieces), len(left.pieces)),
        needed=sections.needed(members, len(sizes)),
        memory=memory,
        results=_results(archive, pairs, len(sizes), plan),
        meanwhile=_PER_EVALUATION * plan.evaluations if plan else 0,
        free=places.free(out),
        writable=places.writable(out),
        replaces=files.exists(out / directory.ANALYSIS / inputs.RESULTS),
        landscape=plan,
        why=why,
    )


def _landscape(out: files.Location, threads: int, options: dict[str, Any]) -> "tuple[plans.Plan | None, str]":
    from masklab.landscape import journal

    folder = out / directory.ANALYSIS / journal.FOLDER
    try:
        return analysis.plan_landscape(out, folder=folder, write=False, threads=threads, **options), ""
    except DataError as error:  # masks can be compared without their data
        return None, str(error)


def _pairs(members: int, sizes: list[int], memory: int) -> tuple[int, int, int]:
    """Members, pairs of them, and random twins of all."""
    if members < 2 or not sections.fits(members, len(sizes), memory):
        return members, 0, 0
    spare = memory - sections.needed(members, len(sizes))
    fitting = 1 + spare // (8 * len(sizes) * members**2)
    return members, members * (members - 1) // 2, min(twins.replicates(members, sum(sizes)), fitting)


def _rate(members: int, size: int, threads: int) -> float:
    """Pairs × bits per second, measured on random masks of such a size."""
    rows, width = min(members, _TRIAL_ROWS), min(size, _TRIAL_BITS)
    random = np.random.RandomState(0)
    masks = bits.pack(random.randint(0, 2, (rows, width), dtype=np.uint8).astype(bool))
    bits.intersections(masks, threads=threads)
    done, started = 0, time.perf_counter()
    while done == 0 or time.perf_counter() - started < _TRIAL_S:
        bits.intersections(masks, threads=threads)
        done += rows * (rows - 1) // 2 * width
    return done / (time.perf_counter() - started)


def _results(archive: Archive, pairs: int, layers: int, plan: "plans.Plan | None") -> int:
    """Bytes of `results.json`, the tables and the arrays."""
    members = len(archive.ids)
    populations = len({own.rpartition("/")[0] for own in archive.compared})
    cells = populations * (populations + 1) // 2 * (layers + 1)
    arrays = len(archive.compared) ** 2 * (4 * layers + 2 * 8) if pairs else 0
    networks = 0 if plan is None else plan.work()["networks"]
    return cells * _PER_CELL + members * _PER_MEMBER + networks * _PER_NETWORK + arrays
