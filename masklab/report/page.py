"""The page: sections with their tables and figures, and everything inlined by the template."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import masklab
from masklab import progress
from masklab.report import (
    below,
    bibliography,
    chapters,
    compare,
    drawing,
    explorer,
    findings,
    load,
    methods,
    models,
    numbers,
    payload,
    provenance,
    recipe,
    style,
    tables,
    text,
    together,
    virtual,
)
from masklab.report.figures import Figure

_SCRIPTS = (
    "core",
    "theme",
    "rows",
    "tables",
    "virtual",
    "figures",
    "toolbox",
    "explorer_views",
    "explorer_drawing",
    "explorer",
    "start",
)
_STYLES = ("style", "tables", "explorer")


@dataclass(frozen=True)
class Section:
    """One study on the page.

    Attributes:
        key: Prefix of its anchors.
        analysis: What is shown.
        question: What was asked.
        findings: What was found, most important first.
        summary: Table of pruners.
        flags: Warnings about `fan_scale = reference`, most prominent.
        replicas: Populations that they concern.
        fan_note: What they have in common.
        warnings: All other warnings.
        chapters: Figures and tables by question.
        explorer: What can be explored, if there is anything.
        members: Table of members.
        failures: Table of failed members.
        imported: Table of populations that came from other tools.
        methods: Titled paragraphs.
        unmasked: Table of parameters that are not masked.
        provenance: (label, text) pairs.
    """

    key: str
    analysis: load.Analysis
    question: str
    findings: list[findings.Finding]
    summary: tables.Table
    flags: list[models.Warn]
    replicas: list[str]
    fan_note: str
    warnings: list[models.Warn]
    chapters: list[chapters.Chapter]
    explorer: explorer.Explorer | None
    members: tables.Table
    failures: tables.Table
    imported: tables.Table
    methods: list[text.Paragraph]
    unmasked: tables.Table
    provenance: list[tuple[str, str]]

    @property
    def tables(self) -> list[tables.Table]:
        """Every table of the section."""
        inner = [folded.table for part in self.chapters for folded in part.tables]
        return [self.summary, *inner, self.members, self.failures, self.imported, self.unmasked]


@dataclass(frozen=True)
class Together:
    """What all studies of a page have in common.

    Attributes:
        summary: Table of their pruners.
        axes: Figures along what differs between them.
    """

    summary: tables.Table
    axes: chapters.Chapter | None


def render(
    analyses: Sequence[load.Analysis],
    former: Sequence[compare.Former] = (),
    *,
    jobs: int = 0,
    listener: progress.Listener | None = None,
) -> str:
    """HTML of the page; equal analyses give equal text.

    Args:
        analyses: The studies.
        former: What they are compared with.
        jobs: Worker processes that draw; 0: as many as pay.
        listener: Told how many figures are drawn.
    """
    theme = style.theme(analyses)
    keyed = {f"s{number}": analysis for number, analysis in enumerate(analyses, 1)}
    begun = drawing.begin(keyed, theme, jobs)
    explorers = {key: explorer.make(analysis, theme, key) for key, analysis in keyed.items()}
    runtime = explorer.runtime() if any(explorers.values()) else ""
    changes = compare.chapter(former, analyses, theme, "changes") if former else None
    axes = _axes(analyses, theme) if together.has(analyses) else None
    drawn = drawing.gathered(begun, listener or progress.Silent(), keyed)
    sections = [
        _section(key, analysis, theme, drawn.get(key, {}), explorers[key]) for key, analysis in keyed.items()
    ]
    common = None
    if len(analyses) > 1:
        common = Together(tables.summary(analyses, theme, "all-summary"), axes)
    elif axes:
        sections[0].chapters.insert(1, axes)
    return _filled(theme, sections, common, changes, runtime)


def _axes(analyses: Sequence[load.Analysis], theme: style.Theme) -> chapters.Chapter:
    """Figures along what differs between populations: density, width, network."""
    figures = {
        key: drawing.marked(figure, theme)
        for key, figure in together.figures(analyses, theme, "axes").items()
    }
    found = together.tables(analyses, theme, "axes")
    folded = [chapters.Folded(table, table.caption.partition(".")[0], open=True) for table in found]
    return chapters.Chapter("axes", "Along density, width and network", figures, folded)


def _section(
    key: str,
    analysis: load.Analysis,
    theme: style.Theme,
    drawn: drawing.Drawn,
    explored: explorer.Explorer | None,
) -> Section:
    results = analysis.results
    return Section(
        key=key,
        analysis=analysis,
        question=text.question(analysis),
        findings=findings.find(analysis, key),
        summary=tables.summary([analysis], theme, f"{key}-summary"),
        flags=[warning for warning in results.warnings if warning.code == recipe.REFERENCE_FAN],
        replicas=recipe.reference_fan(analysis),
        fan_note=recipe.FAN_NOTE,
        warnings=[warning for warning in results.warnings if warning.code != recipe.REFERENCE_FAN],
        chapters=chapters.make(analysis, theme, key, drawn),
        explorer=explored,
        members=below.members(analysis, theme, f"{key}-members"),
        failures=below.failures(analysis, f"{key}-failures"),
        imported=below.imported(analysis, theme, f"{key}-imported"),
        methods=methods.methods(analysis),
        unmasked=below.unmasked(analysis.study, f"{key}-unmasked"),
        provenance=provenance.rows(analysis),
    )


def _filled(
    theme: style.Theme,
    sections: Sequence[Section],
    common: Together | None,
    changes: chapters.Chapter | None,
    runtime: str,
) -> str:
    """The template with everything in it."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("masklab.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = numbers.plain
    virtual.equip(environment, theme.colours)
    analyses = [section.analysis for section in sections]
    script = "\n".join(_asset(f"js/{name}.js") for name in _SCRIPTS)
    outside = [part for part in (changes, common and common.axes) if part]
    parts = [*(part for section in sections for part in section.chapters), *outside]
    shown = [table for section in sections for table in section.tables]
    shown += [common.summary] if common else []
    shown += [folded.table for part in outside for folded in part.tables]
    figures = {key: figure for part in parts for key, figure in part.figures.items()}
    carried = {
        "figures": _data(figures),
        "tables": {table.key: rows for table in shown if (rows := virtual.rows(environment, table))},
        "explorers": {section.key: section.explorer.document for section in sections if section.explorer},
        "results": [compare.compact(analysis) for analysis in analyses],
    }
    return environment.get_template("page.html.jinja").render(
        title=" · ".join(dict.fromkeys(analysis.study.name for analysis in analyses)),
        several=len(analyses) > 1,
        sections=sections,
        together=common,
        changes=changes,
        references=bibliography.references(analyses),
        bibtex=bibliography.bibtex(analyses),
        populations=theme.colours,
        payload=payload.pack(carried),
        runtime=payload.compress(runtime.encode()) if runtime else "",
        hashes=[_hash(own) for own in (script, runtime) if own],
        version=masklab.__version__,
        created=numbers.moment(max(analysis.results.created for analysis in analyses)),
        css="\n".join(_asset(f"{name}.css") for name in _STYLES),
        script=script,
    )


def _data(figures: Mapping[str, Figure]) -> dict[str, dict[str, object]]:
    """What figures draw, for their CSV files."""
    return {
        key: {"columns": list(figure.data.columns), "rows": [list(row) for row in figure.data.rows]}
        for key, figure in figures.items()
        if figure.data is not None and figure.data.rows
    }


def _asset(name: str) -> str:
    return (resources.files("masklab.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Source expression of a Content-Security-Policy that allows exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
