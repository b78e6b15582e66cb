"""How far accuracy lasts when ever fewer weights are kept."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=10,
    title="Accuracy against density",
    axis=lines.DENSITY,
    measures=[measures.ACCURACY],
    explained=True,
)
