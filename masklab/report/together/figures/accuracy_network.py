"""Which pruner is good on which network."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=12,
    title="Accuracy by network",
    axis=lines.NETWORK,
    measures=[measures.ACCURACY],
    explained=True,
)
