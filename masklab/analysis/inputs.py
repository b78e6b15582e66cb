"""What an analysis was made of, so that an older one is known as such."""

from typing import Any

from masklab import __version__
from masklab.archive import Archive, directory, files, study_file
from masklab.errors import ArchiveError
from masklab.training import plan as plans

RESULTS = "results.json"

SCHEMA = 3
"""Of `results.json` (see `docs/results.md`)."""


def fingerprint(archive: Archive) -> str:
    """Digest of everything that an analysis reads."""
    facts = {member: [own["digest"], own["snapshots"]] for member, own in archive.summaries.items()}
    study = {key: value for key, value in archive.study.items() if key != "provenance"}
    return study_file.digest([__version__, SCHEMA, study, facts, archive.failures])


def current(out: files.Location) -> str | None:
    """The `input` of `results.json`, or None when it is not that of the present members and settings.

    Args:
        out: The study's directory.
    """
    try:
        results = files.read_json(out / directory.ANALYSIS / RESULTS)
        now = fingerprint(Archive(out))
    except ArchiveError:
        return None
    return now if isinstance(results, dict) and results.get("input") == now else None


def plan(out: files.Location) -> dict[str, Any]:
    """What the plan says of how members were computed, its cohorts apart; empty where there is none.

    Args:
        out: The study's directory.

    Raises:
        ArchiveError: The plan cannot be read.
    """
    if not files.exists(out / directory.PLAN):
        return {}
    found = files.read_json(out / directory.PLAN)
    return {key: found.get(key) for key in plans.SETTLED}
