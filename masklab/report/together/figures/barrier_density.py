"""Whether masks that keep more weights are closer to being connected."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=40,
    title="Barrier against density",
    axis=lines.DENSITY,
    measures=[measures.BARRIER],
)
