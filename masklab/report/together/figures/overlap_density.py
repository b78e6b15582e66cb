"""Whether masks that keep fewer weights agree on which."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=20,
    title="Overlap against density",
    axis=lines.DENSITY,
    measures=[measures.CORRECTED, measures.SIMILARITY],
)
