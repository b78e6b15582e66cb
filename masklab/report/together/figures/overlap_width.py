"""Whether masks of wider networks are less alike."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=21,
    title="Overlap against width",
    axis=lines.WIDTH,
    measures=[measures.CORRECTED],
)
