"""How equal all masks of a population are, by how much they keep."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=30,
    title="Stability against density",
    axis=lines.DENSITY,
    measures=[measures.STABILITY],
)
