"""Whether masks of wider networks are connected."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=41,
    title="Barrier against width",
    axis=lines.WIDTH,
    measures=[measures.BARRIER],
)
