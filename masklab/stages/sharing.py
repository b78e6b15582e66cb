"""The parts of an analysis that others may compute: workers of a cluster, or other calls (`--shard`).

Parts are tiles of all pairs and pieces of the landscape. Whoever computes one reads members from the study's
directory and writes what was found into its `analysis` folder; whoever writes the results reads it there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from masklab import data as datasets
from masklab import parallel, progress
from masklab.analysis import tiles
from masklab.archive import Archive, directory, files
from masklab.errors import ConfigError, MasklabError
from masklab.progress import Listener
from masklab.training import shards

if TYPE_CHECKING:
    from masklab.landscape import plan as plans

_PAIRS = "analyze: compare all pairs"


class IncompleteError(MasklabError):
    """Parts that are to be put together are not all there.

    Attributes:
        lines: What is missing, a line for each kind of part.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = list(lines)


@dataclass(frozen=True)
class Share:
    """Parts of an analysis that are not computed yet.

    Attributes:
        tiles: Places of tiles.
        pieces: Numbers of pieces of the landscape.
    """

    tiles: list[int]
    pieces: list[int]


@dataclass(frozen=True, eq=False)
class Parts:
    """All parts of an analysis, or those of a shard.

    Attributes:
        archive: The study.
        memory: Bytes to use.
        plan: Of the landscape; None where there is none.
        shard: Which parts are asked for.
    """

    archive: Archive
    memory: int
    plan: "plans.Plan | None"
    shard: shards.Shard = shards.WHOLE

    @property
    def number(self) -> Share:
        """All parts that are asked for, computed or not."""
        pairs = self.pairs()
        both = (pairs.plan if pairs else (), self.plan.pieces if self.plan else ())
        return Share(*([at for at in range(len(own)) if self.shard.owns(at)] for own in both))

    def pairs(self) -> tiles.Tiles | None:
        """The tiles as they are kept now; None where there are none."""
        from masklab.analysis import sections

        return sections.tiled(
            self.archive, self.memory, self.archive.directory / directory.ANALYSIS / tiles.FOLDER
        )

    def missing(self) -> Share:
        """Parts that are asked for and not computed yet; damaged ones are none."""
        from masklab.landscape import parts

        pairs = self.pairs()
        places = pairs.missing() if pairs else []
        numbers = parts.missing(self.plan, self.outcomes) if self.plan else []
        return Share(*([at for at in own if self.shard.owns(at)] for own in (places, numbers)))

    @property
    def outcomes(self) -> files.Location:
        """Where outcomes of the landscape are kept."""
        from masklab.landscape import journal

        return self.archive.directory / directory.ANALYSIS / journal.FOLDER

    def require(self) -> None:
        """Refuse to go on unless all parts are there.

        Raises:
            IncompleteError: Some are missing.
        """
        left, all_ = self.missing(), self.number
        kinds = (("tiles", left.tiles, all_.tiles), ("pieces of the landscape", left.pieces, all_.pieces))
        lines = [_lacking(kind, some, len(own)) for kind, some, own in kinds if some]
        if lines:
            raise IncompleteError(lines)


def _lacking(kind: str, left: Sequence[int], of: int) -> str:
    first = ", ".join(str(place + 1) for place in left[:8]) + (", …" if len(left) > 8 else "")
    return (
        f"{kind}: {len(left)} of {of} missing (number {first}); run the shards that are missing, with the "
        "same --memory, --budget, --paths and --device, or analyze without --merge"
    )


def on_workers(parts: Parts, workers: parallel.Workers, listener: Listener) -> None:
    """Let the workers of a cluster compute what is missing; what fails there is told, and stays missing.

    Args:
        parts: What is to be computed.
        workers: Who computes.
        listener: Told how far it is, and what failed.

    Raises:
        ConfigError: There are no such workers, or they do not see the study's directory.
        MasklabError: The cluster is gone.
        Stopped: This process was asked to stop.
    """
    if files.workers(parts.archive.directory, 2) < 2:
        raise ConfigError(f"{parts.archive.directory} is not seen by other processes; analyze it here")
    left = parts.missing()
    if not left.tiles and not left.pieces:
        return
    with parallel.opened(workers) as pool:
        _count(parts, left.tiles, pool, listener)
        _evaluate(parts, left.pieces, pool, listener)


def _count(parts: Parts, places: Sequence[int], pool: parallel.Pool, listener: Listener) -> None:
    from masklab.analysis import parts as counting

    pairs = parts.pairs()
    if pairs is None or not places:
        return
    common = (parts.archive.directory.absolute(), parts.memory, pairs.key)
    calls = [(place,) for place in places]
    _handed_out(pool, counting.keep, calls, common, _PAIRS, [1] * len(calls), listener)


def _evaluate(parts: Parts, numbers: Sequence[int], pool: parallel.Pool, listener: Listener) -> None:
    from masklab.landscape import parts as pieces
    from masklab.landscape import run

    if parts.plan is None or not numbers:
        return
    stored = parts.archive.study["data"]
    data = datasets.load(stored["name"], stored["path"])
    common = (parts.archive.directory.absolute(), data, pieces.request(parts.plan), parts.plan.key)
    groups = pieces.grouped(parts.plan, numbers, pool.slots)
    costs = [pieces.cost(parts.plan, group) for group in groups]
    _handed_out(pool, pieces.task, [(group,) for group in groups], common, run.STAGE, costs, listener)


def _handed_out(
    pool: parallel.Pool,
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    common: Sequence[Any],
    stage: str,
    units: Sequence[int],
    listener: Listener,
) -> None:
    """Run tasks; each error is told once."""
    told, done = set(), 0
    listener.begin(stage, sum(units))
    try:
        for outcome in pool.outcomes(function, calls, common):
            done += units[outcome.number]
            listener.advance(done)
            if outcome.error is not None and str(outcome.error) not in told:
                told.add(str(outcome.error))
                listener.note(f"{stage}: a worker failed, what it had is computed here: {outcome.error}")
    finally:
        listener.end()


def here(parts: Parts, threads: int, listener: Listener) -> Share:
    """Compute in this process what is missing; what that was.

    Args:
        parts: What is to be computed.
        threads: Processor cores to use.
        listener: Told how far it is.

    Raises:
        ArchiveError: A member is damaged, or nothing can be written.
    """
    from masklab.landscape import journal
    from masklab.landscape import parts as pieces

    left, pairs = parts.missing(), parts.pairs()
    if pairs is not None and left.tiles:
        listener.begin(_PAIRS, len(left.tiles))
        try:
            for done, place in enumerate(left.tiles, start=1):
                pairs.keep(place, threads)
                listener.advance(done)
        finally:
            listener.end()
    if parts.plan is not None and left.pieces:
        pieces.keep(parts.plan, journal.Journal(parts.outcomes, parts.plan.key), left.pieces, listener)
    return left


def text(parts: Parts, computed: Share) -> str:
    """One line: what a shard did.

    Args:
        parts: What was asked for.
        computed: What was computed now.
    """
    own = parts.number
    tiles_done = _done("tile", computed.tiles, own.tiles)
    pieces_done = _done("piece", computed.pieces, own.pieces)
    pairs = tiles_done if parts.pairs() else "no pairs"
    landscape = f"{pieces_done} of the landscape" if parts.plan else "no landscape"
    return f"{parts.archive.directory}: shard {parts.shard} computed {pairs} and {landscape}"


def _done(what: str, computed: Sequence[int], of: Sequence[int]) -> str:
    there = len(of) - len(computed)
    return progress.plural(len(computed), what) + (f" ({there} there already)" if there else "")
