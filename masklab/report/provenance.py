"""Where the numbers of a study come from: command, digests, versions, machine, dates."""

from collections.abc import Iterable, Mapping
from typing import Any

from masklab import progress
from masklab.report import load, numbers, recipe

_PLAN = ("engine", "precision", "device", "threads", "torch")
"""What the plan of a study says beyond its cohorts."""

_NO_GIT = "no git repository"


def rows(analysis: load.Analysis) -> list[tuple[str, str]]:
    """Facts as (label, text)."""
    study = analysis.study
    facts, plan = study.provenance, study.plan or {}
    planned = "; ".join(f"{key} {numbers.plain(plan[key])}" for key in _PLAN if plan.get(key) is not None)
    options = "; ".join(
        f"{population.name} ({given})"
        for population in analysis.results.populations
        if (given := recipe.options(population))
    )
    dates = dict.fromkeys(numbers.moment(date) for date in (facts.created, facts.updated) if date)
    found = [
        ("command", numbers.plain(facts.command)),
        ("imported" if study.recipe_digest is None else "trained", " – ".join(dates)),
        ("analysed", numbers.moment(analysis.results.created)),
        ("wall time", _times(facts.wall_s or {})),
        ("masklab", numbers.plain(facts.versions.get("masklab"))),
        ("versions", _listed({key: own for key, own in facts.versions.items() if key != "masklab"})),
        ("hardware", _listed(facts.hardware)),
        ("plan", planned),
        ("git commit", _git(facts.git)),
        ("seeds", _listed(study.seeds)),
        ("options", options),
        ("data digest", numbers.plain(study.data.digest)),
        ("recipe digest", numbers.plain(study.recipe_digest)),
        ("population digests", "; ".join(f"{own.name} {own.digest}" for own in study.populations)),
        ("analysis input digest", numbers.plain(analysis.results.input)),
    ]
    known = [(label, said) for label, said in found if said not in {"", numbers.UNDEFINED}]
    return known + _earlier(facts.earlier)


def _listed(facts: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {numbers.plain(own)}" for name, own in facts.items() if own is not None)


def _times(stages: Mapping[str, float | None]) -> str:
    return "; ".join(f"{stage} {progress.duration(s)}" for stage, s in stages.items() if s is not None)


def _git(git: Mapping[str, Any] | None) -> str:
    """Commit, and whether something was changed since."""
    if not git:
        return _NO_GIT
    changed = ", with uncommitted changes" if git.get("dirty") else ""
    return f"{numbers.plain(git.get('commit'))}{changed}"


def _earlier(runs: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Runs that trained a part of the members before the last one."""
    found = []
    for run in runs:
        git, versions = run.get("git"), run.get("versions")
        version = versions.get("masklab") if isinstance(versions, Mapping) else None
        parts = [
            numbers.moment(numbers.plain(run.get("updated"))),
            numbers.plain(run.get("command")),
            f"masklab {numbers.plain(version)}",
            _git(git if isinstance(git, Mapping) else None),
        ]
        found.append(("earlier run", "; ".join(parts)))
    return found
