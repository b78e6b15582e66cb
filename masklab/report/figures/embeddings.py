"""Members as points in the plane, every embedding above the same of random masks."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import bitmaps, figure, shaping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Embeddings of the masks"
_VECTOR_MEMBERS = 300  # above this the points of a panel become one bitmap
_SIZE = 2.7  # inches, of a panel's height


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Every embedding of the results, one column each; below it its random twin."""
    shown = [embedding for embedding in analysis.results.embeddings if embedding.points]
    if not shown:
        return figure.absent(TITLE, _why(analysis))
    message = _message(analysis, shown)
    twins = any(embedding.twin for embedding in shown)
    with style.drawing(key):
        drawing = style.new_figure(_SIZE * (1 + twins) + 1.0)
        grid = drawing.subplots(1 + twins, len(shown), squeeze=False)
        for column, embedding in enumerate(shown):
            name = text.embedding(embedding.method)
            _panel(grid[0][column], analysis, embedding.points, theme)
            grid[0][column].set_title(f"{name}{_trust(embedding.quality)}")
            _label(grid[0][column], embedding, embedding.explained)
            if twins and embedding.twin:
                _panel(grid[1][column], analysis, embedding.twin.points, theme)
                grid[1][column].set_title(f"random twin{_trust(embedding.twin.quality)}")
                _label(grid[1][column], embedding, embedding.twin.explained)
            elif twins:
                grid[1][column].set_axis_off()
        placed = {analysis.members[point.id].population for one in shown for point in one.points}
        names = [name for name in analysis.names if name in placed]
        style.legend_below(drawing, style.population_entries(theme, names))
        style.legend(drawing, style.block_entries(theme, analysis.blocks), loc="outside upper right", ncols=6)
        svg = bitmaps.small(style.svg(drawing, key, message))
    data = shaping.table(_data(analysis, shown))
    return figure.Figure(TITLE, message, _caption(shown, theme, analysis), svg, data)


def _data(analysis: load.Analysis, shown: Sequence[records.Embedding]) -> Iterator[shaping.Row]:
    for embedding in shown:
        kinds = {"members": embedding.points, "random twin": embedding.twin.points if embedding.twin else []}
        for kind, points in kinds.items():
            for point in points:
                own = analysis.members[point.id]
                member: shaping.Row = {"id": point.id, "population": own.population, "block": own.block}
                yield {"method": embedding.method, "kind": kind, **member, "x": point.x, "y": point.y}


def _why(analysis: load.Analysis) -> str:
    reasons = [row.why for row in analysis.results.embeddings if row.why]
    why = "; ".join(reasons) or "The analysis holds no embedding: it needs at least four stored members"
    return figure.without_pairs(analysis, why)


def _trust(quality: records.Quality | None) -> str:
    if quality is None or quality.trustworthiness is None:
        return ""
    return f" (trust {numbers.fixed(quality.trustworthiness, 2)})"


def _panel(
    axes: "Axes", analysis: load.Analysis, points: Sequence[records.Point], theme: style.Theme
) -> None:
    groups: dict[tuple[str, int], list[records.Point]] = {}
    for point in points:
        member = analysis.members[point.id]
        groups.setdefault((member.population, member.block), []).append(point)
    many = len(points) > _VECTOR_MEMBERS
    for (population, block), own in groups.items():
        axes.plot(
            [point.x for point in own],
            [point.y for point in own],
            theme.marker(block, analysis.blocks),
            linestyle="none",
            color=theme.colours[population],
            markersize=3.5 if many else 4.5,
            alpha=0.8,
            markeredgewidth=0,
            rasterized=many,
        )
    axes.grid(visible=True)


def _label(axes: "Axes", embedding: records.Embedding, explained: Sequence[float | None] | None) -> None:
    labels = [_axis(embedding.axes, explained, axis) for axis in (0, 1)]
    axes.set_xlabel(labels[0], fontsize=8)
    axes.set_ylabel(labels[1], fontsize=8)
    axes.locator_params(nbins=5)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)  # only distances have a meaning
    if embedding.method in {"pcoa", "mds"}:
        axes.set_aspect("equal", adjustable="datalim")


def _axis(axes: Sequence[str], explained: Sequence[float | None] | None, axis: int) -> str:
    """Name of an axis with its own share of the inertia, which is another one for the twin."""
    label = axes[axis].partition(" (")[0] if axis < len(axes) else ""
    share = explained[axis] if explained and axis < len(explained) else None
    return label if share is None else f"{label} ({numbers.percent(share, 1)} %)"


def _message(analysis: load.Analysis, shown: Sequence[records.Embedding]) -> str:
    """What can be believed, before anything is seen."""
    noise = [text.embedding(row.method) for row in shown if row.distinguishable is False]
    clear = [text.embedding(row.method) for row in shown if row.distinguishable]
    said = []
    if noise:
        said.append(
            f"Warning: {' and '.join(noise)} cannot be told from the embedding of random masks; groups and "
            "shapes in it need not mean anything."
        )
    if clear:
        drawn = " and draws of base weights" if len(analysis.blocks) > 1 else ""
        said.append(
            f"{', '.join(clear)}: more trustworthy than every set of random masks, so near points are near "
            f"masks; whether populations{drawn} differ is tested below."
        )
    return " ".join(said) or "Every stored member as a point in the plane; not compared with random masks."


def _caption(shown: Sequence[records.Embedding], theme: style.Theme, analysis: load.Analysis) -> str:
    n = max(len(embedding.points) for embedding in shown)
    distances = ", ".join(dict.fromkeys(embedding.distance for embedding in shown))
    markers = ", marker by draw of base weights" if theme.blocks_have_markers(analysis.blocks) else ""
    tests = "; ".join(
        f"{text.embedding(row.method)} {numbers.null(row.null, 1.0, 2)} over "
        f"{numbers.count(row.null.n, 'set')}, p = {numbers.probability(row.p)}"
        for row in shown
        if row.null
    )
    missing = "; ".join(
        f"{text.embedding(row.method)} is not drawn: {row.why}"
        for row in analysis.results.embeddings
        if not row.points and row.why
    )
    bitmap = " The points of a panel are one bitmap." if n > _VECTOR_MEMBERS else ""
    parts = [
        f"n = {numbers.count(n, 'member')}; colour by population{markers}; distance: {distances}. Below: one "
        "set of random masks with the same kept counts, as chance would draw it. Trust: trustworthiness, 1 "
        "where near points are near masks. No intervals; percentages are shares of the inertia."
        f"{bitmap}",
        f"Chance level of the trustworthiness, mean and range: {tests}."
        if tests
        else "Chance level: unknown.",
        f"{missing}." if missing else "",
        "Distances between islands and their sizes mean nothing in UMAP and t-SNE, which draw islands from "
        "noise."
        if any(row.method in {"umap", "tsne"} for row in shown)
        else "",
    ]
    return " ".join(part for part in parts if part)
