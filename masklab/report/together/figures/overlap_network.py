"""Whether masks are more alike on one network than on another."""

from masklab.report.together import lines, measures
from masklab.report.together.plan import Plan

PLAN = Plan(
    place=22,
    title="Overlap by network",
    axis=lines.NETWORK,
    measures=[measures.CORRECTED],
)
