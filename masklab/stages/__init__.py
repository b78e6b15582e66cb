"""One function per verb: from files to files."""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masklab.analysis import inputs
from masklab.archive import Archive, files
from masklab.archive import places as urls
from masklab.errors import ArchiveError, ConfigError
from masklab.landscape import settings
from masklab.progress import Listener, Silent
from masklab.stages.analysis import analyze, analyze_shard, plan_landscape, walk
from masklab.stages.reporting import report, report_path, report_text
from masklab.stages.sharing import IncompleteError
from masklab.study import Study
from masklab.training import run as training

__all__ = [
    "IncompleteError",
    "analyze",
    "analyze_shard",
    "default_directory",
    "export",
    "import_masks",
    "is_analyzed",
    "plan_landscape",
    "report",
    "report_path",
    "report_text",
    "reproduce",
    "show",
    "train",
    "verify",
    "walk",
]

if TYPE_CHECKING:
    from masklab.archive import exchange
    from masklab.training import reproduce as reproduction
    from masklab.training import verify as verification


def default_directory(study: Study) -> Path:
    """Where a study is stored unless the user says: `runs/<study.name>`."""
    name = "".join(c if c.isalnum() or c in "+-_." else "-" for c in study.study.name).lstrip(".")
    return Path("runs") / (name or "study")


def train(
    study: Study,
    out: files.Location,
    *,
    listener: Listener | None = None,
    **options: Any,
) -> training.Outcome:
    """Train the members that the directory lacks (see `masklab.training.run.train`).

    `options` are fields of `masklab.training.run.Options`.
    """
    settings.with_paths(study.analysis, None)  # a typo shows now, not after the training
    return training.train(study, out, training.Options(**options), listener or Silent())


def import_masks(places: Sequence[files.Location], out: files.Location, **options: Any) -> "exchange.Outcome":
    """Take masks from files of other tools as one population (see `masklab.archive.exchange.store`).

    Args:
        places: The files; each becomes a member, in this order.
        out: The study's directory: a new one, or one whose layers are the same.
        options: Further fields of `masklab.archive.exchange.Request`.
    """
    from masklab.archive import exchange
    from masklab.training import exchange as gates
    from masklab.training import record

    command = ["masklab", *map(urls.without_secrets, sys.argv[1:])]
    request = exchange.Request(places, **options)
    return exchange.store(request, out, gates.gates(), lambda stored: record.provenance(command, stored))


def export(
    out: files.Location,
    member: str,
    target: files.Location,
    *,
    format: str | None = None,
    force: bool = False,
) -> files.Location:
    """Write one member in a format of other tools.

    Args:
        out: The study's directory.
        member: Its id.
        target: The file.
        format: A name in `masklab.archive.exchange.exports`; None: what the suffix of `target` means.
        force: Whether a file that is there is replaced.

    Raises:
        ArchiveError: There is no such member, it is damaged, or its weights are needed and not known.
        ConfigError: The format is unknown or does not fit the suffix, or the file is there.
    """
    files.write_atomic(target, exported(out, member, target, format=format, force=force))
    return target


def exported(
    out: files.Location,
    member: str,
    target: files.Location,
    *,
    format: str | None = None,
    force: bool = False,
) -> bytes:
    """What `export` writes.

    Args:
        out: See `export`.
        member: See `export`.
        target: See `export`.
        format: See `export`.
        force: See `export`.

    Raises:
        ArchiveError: See `export`.
        ConfigError: See `export`.
    """
    from masklab.archive.exchange import exports
    from masklab.training import exchange

    chosen = exports.choose(target.name, format)
    if files.exists(target) and not force:
        raise ConfigError(f"{target} is there already; --force replaces it")
    return chosen.encode(exchange.outgoing(Archive(out).member(member)))


def reproduce(
    out: files.Location, member: str, *, listener: Listener | None = None
) -> "reproduction.Verdict":
    """Train one stored member again and compare (see `masklab.training.reproduce.reproduce`)."""
    from masklab.training import reproduce as reproduction

    return reproduction.reproduce(out, member, listener or Silent())


def verify(
    out: files.Location,
    *,
    sample: int = 8,
    trust: bool = False,
    jobs: int = 0,
    listener: Listener | None = None,
) -> "verification.Report":
    """Check every file of a directory and a sample of its members (see `masklab.training.verify.verify`).

    Raises:
        ArchiveError: `out` is no study's directory, or cannot be listed.
    """
    from masklab.training import verify as verification

    return verification.verify(out, sample, trust, jobs, listener or Silent())


def show(out: files.Location) -> dict[str, Any]:
    """Populations and members of a directory, JSON-able.

    Raises:
        ArchiveError: There is no study, or a member file is damaged.
    """
    archive = Archive(out)
    members = [{"id": member, **row} for member, row in zip(archive.ids, archive.rows, strict=True)]
    populations = []
    for population in archive.study["populations"]:
        own = [row for row in members if row["population"] == population["name"]]
        accuracies = [row["accuracy"] for row in own if row["accuracy"] is not None]
        populations.append(
            {
                "population": population["name"],
                "pruner": population["pruner"],
                "density": population["density"],
                "members": population["members"],
                "stored": len(own),
                "failed": sum(i.rpartition("/")[0] == population["name"] for i in archive.failures),
                "accuracy_mean": statistics.fmean(accuracies) if accuracies else None,
                "accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
                "refresh_events": max((row["refresh_events"] for row in own), default=0),
                "imported": population.get("imported"),
            }
        )
    study = archive.study
    return {
        "study": study["name"],
        "data": study["data"]["name"],
        "network": None
        if study["recipe_digest"] is None
        else f"{study['network']['name']} × {study['network']['width']:g}",
        "populations": populations,
        "members": members,
        "failures": [
            {"id": member, "cause": f["cause"], "step": f["step"]} for member, f in archive.failures.items()
        ],
    }


def is_analyzed(out: files.Location) -> bool:
    """Whether analysis and report of a directory are those of its present members and settings."""
    try:
        page = files.read(report_path(out)).decode()
    except (ArchiveError, UnicodeDecodeError):
        return False  # whatever cannot be read is written anew
    current = inputs.current(out)
    return current is not None and current in page
