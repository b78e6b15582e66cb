"""How equal all masks of a population are, by width."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=31,
    title="Stability against width",
    axis=lines.WIDTH,
    measures=[measures.STABILITY],
)
