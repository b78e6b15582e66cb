"""The numbers of a figure over several populations, for its CSV file."""

from collections.abc import Sequence

from masklab.report.figures import figure
from masklab.report.together.lines import Panel
from masklab.report.together.plan import Plan

_COLUMNS = (
    *("panel", "line", "study", "population", "pruner", "data", "network", "width", "density"),
    *("members", "blocks", "metric", "value", "low", "high", "level", "n", "chance"),
)


def rows(plan: Plan, panels: Sequence[Panel]) -> figure.Data:
    """One row per point and measure; panels that are too many to be drawn are in it."""
    found = []
    for measure in plan.measures:
        for panel in panels:
            for line in panel.lines:
                for _, point in line.places:
                    own = measure.get(point)
                    if own is None:
                        continue
                    study, population = point.analysis.study, point.population
                    found.append(
                        (
                            *(panel.title, line.label, study.name, population.name, population.pruner),
                            *(study.data.name, study.network.name, study.network.width, population.density),
                            *(population.stored, population.blocks, measure.name),
                            *(own.value, own.low, own.high, own.level, own.n, measure.chance(point)),
                        )
                    )
    return figure.Data(_COLUMNS, found)
