"""The body of a study's section: figures and tables by question, in the order of the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from masklab.report import below, comparisons, load, populations, style, tables
from masklab.report.figures import OPTIONAL, Figure
from masklab.report.landscape import spent
from masklab.report.landscape import tables as landscape

_OPEN_ROWS = 24  # a table of more rows is folded
_OPEN = {"barriers-table"}  # the only place of what its figure leaves out


@dataclass(frozen=True)
class Folded:
    """A table that can be folded away.

    Attributes:
        table: The table.
        label: What it holds, beside the number of its rows.
        open: Whether it is unfolded at first.
    """

    table: tables.Table
    label: str
    open: bool


@dataclass(frozen=True)
class Chapter:
    """One question.

    Attributes:
        key: Its anchor.
        title: Its heading.
        figures: Figures by anchor.
        tables: Tables that have rows.
        absent: Said in place of everything, where there is nothing.
        sentences: Said before everything else.
    """

    key: str
    title: str
    figures: dict[str, Figure]
    tables: list[Folded]
    absent: str = ""
    sentences: Sequence[str] = ()


_Make = Callable[[load.Analysis, style.Theme, str], tables.Table]


@dataclass(frozen=True)
class _Plan:
    """What a chapter is made of: names of figures; anchors of tables, what they hold, how to make them."""

    name: str
    title: str = ""
    figures: Sequence[str] = ()
    tables: Sequence[tuple[str, str, _Make]] = ()
    absent: str = ""


def _plain(make: Callable[[load.Analysis, str], tables.Table]) -> _Make:
    return lambda analysis, theme, key: make(analysis, key)


_PLANS = (
    _Plan("accuracy", "Accuracy", figures=["accuracy"]),
    _Plan(
        "overlap",
        "Overlap against chance",
        ["matrices", "distances"],
        [("pairs", "kinds of pairs of populations", _plain(tables.pairs))],
    ),
    _Plan("where", "Where: layer by layer", ["layers", "shares"]),
    _Plan(
        "planes",
        "Embeddings",
        ["embeddings"],
        [("embeddings-table", "methods against random masks", _plain(comparisons.embeddings))],
    ),
    _Plan(
        "differences",
        "Differences between pruners",
        ["differences", "separation"],
        tables=[
            ("tests", "tests of all populations, and of each against chance", _plain(comparisons.overall)),
            ("tests-pairs", "tests of two populations", _plain(comparisons.pairwise)),
            ("clusters", "quantities of clusterings", _plain(comparisons.clusters)),
        ],
        absent="No members of two populations are stored, so there is nothing to test.",
    ),
    _Plan(
        "function",
        "Structure against function",
        ["scatter", "ensembles"],
        [
            ("mantel", "Mantel tests", _plain(comparisons.mantel)),
            ("function-table", "populations, predictions of two members", populations.function),
        ],
    ),
    _Plan(
        "diversity",
        "How many masks",
        ["rarefaction"],
        [("diversity-table", "groups of masks", populations.diversity)],
    ),
    _Plan(
        "agreement",
        "Consensus",
        ["consensus"],
        [("consensus-table", "populations, core and never kept", populations.consensus)],
    ),
    _Plan(
        "structure",
        "Structure",
        tables=[
            ("structure-table", "populations, signs, norms, dead and disconnected", populations.structure)
        ],
        absent="No member that is compared is stored, so there is no structure to show.",
    ),
    _Plan(
        "moving",
        "Movement",
        ["movement"],
        [
            ("movement-table", "snapshots", below.movement),
            ("settling-table", "layers, and when they settle", below.settling),
        ],
    ),
    _Plan(
        "landscape",
        "Paths between masks",
        ["paths", "interpolation", "barriers"],
        [
            ("barriers-table", "kinds of pairs and paths", _plain(landscape.barriers)),
            ("landscape-work", "questions, and what was spent on them", _plain(spent.work)),
        ],
    ),
    _Plan(
        "around",
        "Neighbourhood of masks",
        ["flatness", "sensitivity"],
        [("sensitivity-table", "layers, and what their flips cost", landscape.sensitivity)],
    ),
    _Plan(
        "sets",
        "Mask algebra",
        ["algebra", "gathering"],
        [("algebra-table", "operations", landscape.algebra)],
    ),
    _Plan(
        "moved",
        "Masks on other base weights",
        ["transfer"],
        [("transfer-table", "kinds of base weights", landscape.transfer)],
    ),
    _Plan("surfaces-around", "Planes between and around masks", ["surfaces"]),
    _Plan(
        "chained",
        "Between masks along training",
        ["chains"],
        [("chains-table", "links", landscape.chains)],
    ),
)


def figures(analysis: load.Analysis) -> list[str]:
    """Names of the figures that a study has, in the order of the page."""
    return [
        name for plan in _PLANS for name in plan.figures if name not in OPTIONAL or OPTIONAL[name](analysis)
    ]


def make(analysis: load.Analysis, theme: style.Theme, key: str, drawn: Mapping[str, Figure]) -> list[Chapter]:
    """All chapters of a study.

    Args:
        analysis: What is shown.
        theme: Colours.
        key: Prefix of every anchor.
        drawn: The study's figures by name.
    """
    found = [_chapter(plan, analysis, theme, key, drawn) for plan in _PLANS]
    return [own for own in found if own.figures or own.tables or own.absent]


def _chapter(
    plan: _Plan, analysis: load.Analysis, theme: style.Theme, key: str, drawn: Mapping[str, Figure]
) -> Chapter:
    figures = {f"{key}-{name}": drawn[name] for name in plan.figures if name in drawn}
    made = [(label, build(analysis, theme, f"{key}-{name}")) for name, label, build in plan.tables]
    unfolded = {f"{key}-{name}" for name in _OPEN}
    folded = [
        Folded(table, label, len(table.rows) <= _OPEN_ROWS or table.key in unfolded)
        for label, table in made
        if table.rows
    ]
    nothing = not folded and not figures
    return Chapter(f"{key}-{plan.name}-chapter", plan.title, figures, folded, plan.absent if nothing else "")
