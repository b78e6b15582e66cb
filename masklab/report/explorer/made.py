"""What the page carries of a study for its explorer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from masklab.report import load, numbers, style
from masklab.report.explorer import cells, chart, curves, data

_VIEWS = {"places": "embedding", "distances": "distances", "curves": "interpolation curves"}
"""The views by their keys, in the order in which they are drawn."""


@dataclass(frozen=True)
class Explorer:
    """The explorer of one study.

    Attributes:
        caption: Numbers of members, pairs and curves, what was aggregated or left out, chance levels.
        document: What the script gets, JSON-able; its parts are described in `data`, `cells` and `curves`.
    """

    caption: str
    document: data.Document

    @property
    def methods(self) -> Sequence[data.Document]:
        """The embeddings, each with its `method`, its `name` and its `twin`."""
        return self.document["embeddings"]

    @property
    def twins(self) -> bool:
        """Whether any embedding has a random twin."""
        return any(row["twin"] for row in self.methods)

    @property
    def populations(self) -> Sequence[data.Document]:
        """Populations of stored members, each with its `name`, its `colour` and its `place` in the study."""
        stored = set(self.document["members"]["population"])
        rows = self.document["populations"]
        return [{**row, "place": place} for place, row in enumerate(rows) if place in stored]

    @property
    def views(self) -> Mapping[str, str]:
        """What the views that are drawn show, by their keys."""
        return {view: name for view, name in _VIEWS.items() if view in self.document["specs"]}


def make(analysis: load.Analysis, theme: style.Theme, key: str) -> Explorer | None:
    """The explorer of a study, or None where no embedding can be drawn.

    Args:
        analysis: What is explored.
        theme: Colours of the populations and markers of the weight draws.
        key: Prefix of the section's anchors, under which the document stands in the payload.
    """
    embeddings = data.embeddings(analysis)
    if not embeddings:
        return None
    heat, read = cells.make(analysis), curves.read(analysis)
    walked = read if isinstance(read, curves.Curves) else None
    colours = [theme.colours[name] for name in analysis.names]
    chance = _chance(analysis)
    count = max(len(row["members"]["member"]) for row in embeddings)
    specs = {"places": chart.places(theme, colours, analysis.blocks, count)}
    specs |= {"distances": chart.distances(heat, colours)} if heat else {}
    specs |= {"curves": chart.lines(walked, colours, chance)} if walked else {}
    document = {
        "study": analysis.study.name,
        "digits": numbers.places(analysis.study.data.test or 0),
        "populations": data.populations(analysis, theme),
        "members": data.members(analysis),
        "embeddings": embeddings,
        "distances": heat.document if heat else None,
        "curves": walked.document if walked else None,
        "specs": specs,
        "labels": _labels(count, heat, walked),
    }
    twins = any(row["twin"] for row in embeddings)
    said = [
        _said_of_members(analysis, count, heat, twins=twins),
        _said_of_cells(heat),
        _said_of_curves(read, chance),
    ]
    return Explorer(" ".join(said), document)


def _chance(analysis: load.Analysis) -> list[float]:
    """Accuracies of always the most common class on the test images of straight lines, ascending."""
    return sorted(
        {row.chance for row in analysis.results.landscape if row.path == "linear" and row.split == "test"}
    )


def _labels(count: int, heat: cells.Cells | None, walked: curves.Curves | None) -> dict[str, str]:
    """What a screen reader hears of each view."""
    labels = {"places": f"Scatter plot of {numbers.count(count, 'member')} in the plane."}
    if heat:
        low, high = numbers.fixed(heat.low, 3), numbers.fixed(heat.high, 3)
        groups = f"{numbers.count(len(heat.groups), 'group')} of " if heat.aggregated else ""
        members = numbers.count(sum(map(len, heat.groups)), "member")
        labels["distances"] = f"Heat map of {groups}{members}: Hamming distances from {low} to {high}."
    if walked:
        extent = numbers.extent([walked.low, walked.high], 1)
        labels["curves"] = (
            f"Line chart of {numbers.count(walked.shown, 'straight line')} between members: test accuracies "
            f"from {extent} %."
        )
    return labels


def _said_of_members(analysis: load.Analysis, count: int, heat: cells.Cells | None, *, twins: bool) -> str:
    stored = len(analysis.members)
    of = f" of {stored:,} that are stored" if stored > count else ""
    twin = (
        " A point of the random twin is a random mask with the kept counts of the member that it is selected "
        "with; the twins are the chance level of the embedding."
        if twins
        else " Chance level of the embedding: not known."
    )
    cell = " and each cell of the distances one pair" if heat and not heat.aggregated else ""
    return (
        f"n = {numbers.count(count, 'member')}{of}. Each point is one member{cell}; intervals stand in the "
        f"tables.{twin}"
    )


def _said_of_cells(heat: cells.Cells | None) -> str:
    if heat is None:
        return "Distances: not drawn, as there are none."
    order = (
        "Rows stand in the order of average linkage, stripes in the colours of populations; the chance level "
        "is named with each pair."
    )
    if not heat.aggregated:
        return f"Distances: cell by cell. {order}"
    count, most = sum(map(len, heat.groups)), max(map(len, heat.groups))
    return (
        f"Distances: {numbers.count(count, 'member')} are aggregated into {len(heat.groups)} groups of at "
        f"most {most} neighbours of one population; a cell is the mean over pairs of different members of "
        f"two groups, and a group stands out by its share of selected members. {order}"
    )


def _said_of_curves(read: curves.Curves | str, chance: Sequence[float]) -> str:
    if isinstance(read, str):
        return f"Interpolation curves: not drawn, as {read}."
    sampled = (
        f"{read.shown:,} of the {read.measured:,} pairs that were measured, evenly over"
        if read.shown < read.measured
        else f"all {numbers.count(read.shown, 'pair')} that were measured, of"
    )
    guess = (
        f"Dashed: chance level {numbers.extent(chance, 1)} %, that of always the most common class."
        if chance
        else "Chance level: not known."
    )
    return (
        f"Interpolation curves: {sampled} {numbers.count(read.kinds, 'kind')} of pairs (populations, weight "
        "draws, seeds); test accuracy on the straight line between two members, in the colour of their "
        f"population, or of the text where they are of two. {guess}"
    )
