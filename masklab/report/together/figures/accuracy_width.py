"""How much a wider network helps each pruner."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=11,
    title="Accuracy against width",
    axis=lines.WIDTH,
    measures=[measures.ACCURACY],
    explained=True,
)
