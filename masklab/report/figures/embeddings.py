"""Members as points in the plane: principal coordinates and UMAP side by side."""

from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, style
from masklab.report.figures import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Embeddings of the masks"
_NAMES = {"pcoa": "PCoA", "umap": "UMAP"}


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Every embedding of the results, one panel each."""
    embeddings = [embedding for embedding in analysis.results.embeddings if embedding.points]
    if not embeddings:
        why = "The analysis holds no embedding: it needs at least four stored members"
        return figure.absent(TITLE, f"{why}{figure.uncounted(analysis)}.")
    names = [_NAMES.get(embedding.method, embedding.method) for embedding in embeddings]
    message = _message(embeddings)
    placed = {point.id for embedding in embeddings for point in embedding.points}
    shown = [
        name for name in analysis.names if any(analysis.members[place].population == name for place in placed)
    ]
    with style.drawing(key):
        drawing = style.new_figure(5.0)
        for axes, embedding, name in zip(
            drawing.subplots(1, len(embeddings), squeeze=False)[0], embeddings, names, strict=True
        ):
            _panel(axes, analysis, embedding, theme)
            axes.set_title(name)
        style.legend_below(drawing, style.population_entries(theme, shown))
        style.legend(drawing, style.block_entries(theme, analysis.blocks), loc="outside upper right", ncols=6)
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(embeddings, theme, analysis), svg)


def _panel(axes: "Axes", analysis: load.Analysis, embedding: models.Embedding, theme: style.Theme) -> None:
    for point in embedding.points:
        member = analysis.members[point.id]
        axes.plot(
            point.x,
            point.y,
            theme.marker(member.block, analysis.blocks),
            color=theme.colours[member.population],
            markersize=6,
            alpha=0.8,
            markeredgewidth=0,
        )
    axes.set_xlabel(_axis(embedding, 0))
    axes.set_ylabel(_axis(embedding, 1))
    axes.grid(visible=True)
    if embedding.method == "umap":  # its coordinates have no unit
        axes.tick_params(length=0, labelbottom=False, labelleft=False)
    else:
        axes.set_aspect("equal", adjustable="datalim")


def _axis(embedding: models.Embedding, axis: int) -> str:
    label = embedding.axes[axis] if axis < len(embedding.axes) else ""
    share = embedding.explained[axis] if embedding.explained and axis < len(embedding.explained) else None
    if share is None or "%" in label:
        return label
    return f"{label} ({numbers.percent(share, 1)} % of the inertia)"


def _message(embeddings: list[models.Embedding]) -> str:
    for embedding in embeddings:
        known = [share for share in embedding.explained or [] if share is not None]
        if known:
            share = numbers.percent(sum(known), 1)
            return f"The first two principal coordinates carry {share} % of the inertia."
    return "Every stored member as a point in the plane."


def _caption(embeddings: list[models.Embedding], theme: style.Theme, analysis: load.Analysis) -> str:
    n = max(len(embedding.points) for embedding in embeddings)
    distances = ", ".join(dict.fromkeys(embedding.distance for embedding in embeddings))
    markers = ", marker by draw of base weights" if theme.blocks_have_markers(analysis.blocks) else ""
    parts = [
        f"n = {numbers.count(n, 'member')}; colour by population{markers}; distance: {distances}; no "
        "intervals. Chance level: independent masks are nearly equidistant, so they fill the plane without "
        "structure."
    ]
    for embedding in embeddings:
        if embedding.method == "umap":
            settings = f" ({numbers.plain(embedding.parameters)})" if embedding.parameters else ""
            parts.append(
                f"UMAP{settings} draws islands from noise in high dimensions: distances between islands and "
                "their sizes mean nothing; believe a group only if the heat map shows it."
            )
    return " ".join(parts)
