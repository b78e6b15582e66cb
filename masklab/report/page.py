"""The page: sections with their tables and figures, and everything inlined by the template."""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from masklab import progress
from masklab.report import below, chapters, load, models, numbers, recipe, statistics, style, tables, text
from masklab.report.figures import accuracy
from masklab.report.landscape import text as landscape

_PLAN = ("engine", "precision", "device", "threads", "torch")
"""What the plan of a study says beyond its cohorts."""


@dataclass(frozen=True)
class Section:
    """One study on the page.

    Attributes:
        key: Prefix of its anchors.
        analysis: What is shown.
        question: What was asked.
        summary: Table of pruners, or None when the page has a combined one.
        flags: Warnings about `fan_scale = reference`, most prominent.
        replicas: Populations that they concern.
        warnings: All other warnings.
        chapters: Figures and tables by question.
        members: Table of members.
        failures: Table of failed members.
        imported: Table of populations that came from other tools.
        methods: Paragraphs.
        unmasked: Table of parameters that are not masked.
        provenance: (label, text) pairs.
    """

    key: str
    analysis: load.Analysis
    question: str
    summary: tables.Table
    flags: list[models.Warn]
    replicas: list[str]
    warnings: list[models.Warn]
    chapters: list[chapters.Chapter]
    members: tables.Table
    failures: tables.Table
    imported: tables.Table
    methods: list[str]
    unmasked: tables.Table
    provenance: list[tuple[str, str]]


def render(analyses: Sequence[load.Analysis]) -> str:
    """HTML of the page; equal analyses give equal text."""
    import jinja2

    theme = style.theme(analyses)
    sections = [_section(f"s{number}", analysis, theme) for number, analysis in enumerate(analyses, 1)]
    several = len(analyses) > 1
    script = _asset("page.js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = numbers.plain
    return environment.from_string(_asset("page.html.jinja")).render(
        title=" · ".join(dict.fromkeys(analysis.study.name for analysis in analyses)),
        sections=sections,
        together=tables.summary(analyses, theme, "all-summary") if several else None,
        accuracy=accuracy.draw_together(analyses, theme, "all-accuracy") if several else None,
        references=[
            *text.references(analyses),
            *statistics.references(analyses),
            *landscape.references(analyses),
        ],
        fan_note=recipe.FAN_NOTE,
        created=_moment(max(analysis.results.created for analysis in analyses)),
        css=_asset("style.css"),
        js=script,
        js_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _asset(name: str) -> str:
    return (resources.files("masklab.report") / "assets" / name).read_text(encoding="utf-8")


def _section(key: str, analysis: load.Analysis, theme: style.Theme) -> Section:
    results = analysis.results
    return Section(
        key=key,
        analysis=analysis,
        question=text.question(analysis),
        summary=tables.summary([analysis], theme, f"{key}-summary"),
        flags=[warning for warning in results.warnings if warning.code == recipe.REFERENCE_FAN],
        replicas=recipe.reference_fan(analysis),
        warnings=[warning for warning in results.warnings if warning.code != recipe.REFERENCE_FAN],
        chapters=chapters.make(analysis, theme, key),
        members=below.members(analysis, theme, f"{key}-members"),
        failures=below.failures(analysis, f"{key}-failures"),
        imported=below.imported(analysis, theme, f"{key}-imported"),
        methods=[
            *text.methods(analysis),
            *statistics.paragraphs(analysis),
            *landscape.paragraphs(analysis),
        ],
        unmasked=below.unmasked(analysis.study, f"{key}-unmasked"),
        provenance=provenance(analysis),
    )


def provenance(analysis: load.Analysis) -> list[tuple[str, str]]:
    """Where the numbers come from, as (label, text)."""
    study = analysis.study
    facts = study.provenance
    git = facts.git or {}
    commit = numbers.plain(git.get("commit")) + (", with uncommitted changes" if git.get("dirty") else "")
    times = {stage: seconds for stage, seconds in (facts.wall_s or {}).items() if seconds is not None}
    digests = "; ".join(f"{population.name} {population.digest}" for population in study.populations)
    options = "; ".join(
        f"{population.name} ({given})"
        for population in analysis.results.populations
        if (given := recipe.options(population))
    )
    plan = study.plan or {}
    planned = "; ".join(f"{key} {numbers.plain(plan[key])}" for key in _PLAN if plan.get(key) is not None)
    return [
        ("command", numbers.plain(facts.command)),
        (
            "imported" if study.recipe_digest is None else "trained",
            " – ".join(dict.fromkeys(_moment(date) for date in (facts.created, facts.updated) if date)),
        ),
        ("analysed", _moment(analysis.results.created)),
        (
            "wall time",
            "; ".join(f"{stage} {progress.duration(s)}" for stage, s in times.items()) or numbers.UNDEFINED,
        ),
        (
            "versions",
            "; ".join(f"{name} {numbers.plain(version)}" for name, version in facts.versions.items()),
        ),
        ("hardware", "; ".join(f"{name} {numbers.plain(part)}" for name, part in facts.hardware.items())),
        *([("plan", planned)] if planned else []),
        ("git commit", commit if git else numbers.UNDEFINED),
        ("seeds", "; ".join(f"{source} {numbers.plain(seed)}" for source, seed in study.seeds.items())),
        ("options", options or numbers.UNDEFINED),
        ("data digest", numbers.plain(study.data.digest)),
        ("recipe digest", numbers.plain(study.recipe_digest)),
        ("population digests", digests or numbers.UNDEFINED),
    ]


def _moment(date: str) -> str:
    """An ISO date-time to the second."""
    return re.sub(r"T(\d\d:\d\d:\d\d)(\.\d+)?", r" \1", date)
