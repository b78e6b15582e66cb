"""What figures over several populations say: message, caption, and why there is none."""

from collections.abc import Iterable, Mapping, Sequence

from masklab.report import load, numbers, recipe, records, text
from masklab.report.landscape import sentences
from masklab.report.together import drawing, lines, points, scales
from masklab.report.together.lines import Panel, Position
from masklab.report.together.measures import Measure
from masklab.report.together.plan import Plan
from masklab.report.together.points import Point

_SPOKEN = 2  # panels in a message
_NAMED = 4  # networks in a message


def message(plan: Plan, panels: Sequence[Panel]) -> str:
    """The first measure at both ends of the axis, of trained masks where there are any."""
    measure = plan.measures[0]
    spoken = panels if len(panels) <= _SPOKEN else [max(panels, key=lambda panel: len(panel.points))]
    parts = [said for panel in spoken if (said := _panel(plan, measure, panel))]
    if not parts:
        return f"{measure.said.capitalize()} by {plan.axis.name}."
    brackets = "Brackets: from the lowest end to the highest of the intervals."
    return f"{measure.said.capitalize()}{_of(spoken)}: {'; '.join(parts)}. {brackets}"


def _of(panels: Iterable[Panel]) -> str:
    return " of trained masks" if all(_trained(panel.points) for panel in panels) else ""


def _trained(found: Iterable[Point]) -> list[Point]:
    """Masks that were trained."""
    return [point for point in found if point.population.trained and point.population.compared]


def _panel(plan: Plan, measure: Measure, panel: Panel) -> str:
    spoken = {id(point) for point in _trained(panel.points) or panel.points}
    at: dict[Position, dict[str, records.Estimate]] = {}
    for line in panel.lines:
        for place, point in line.places:
            own = measure.get(point)
            if id(point) in spoken and own is not None and own.value is not None:
                at.setdefault(place, {})[line.label] = own
    order = [place for place in panel.places if place in at]
    if len(order) > _NAMED or not isinstance(next(iter(order), ""), str):
        order = list(dict.fromkeys([*order[:1], *order[-1:]]))
    said = [
        f"{extent(at[place], measure, measure.digits(panel.points))} {plan.axis.say(place)}"
        for place in order
    ]
    return f"{panel.title}: {', '.join(said)}" if panel.title else ", ".join(said)


def extent(found: Mapping[str, records.Estimate], measure: Measure, digits: int) -> str:
    """The smallest and the largest value with the span of all intervals; whose only where that is certain.

    Args:
        found: Label → estimate with a value.
        measure: What they are.
        digits: Decimals.
    """
    least, most = (choose(found, key=lambda name: found[name].value or 0.0) for choose in (min, max))
    first, last = (
        numbers.fixed(measure.scale * (found[name].value or 0.0), digits) for name in (least, most)
    )
    owners = [
        f" ({name})" if sentences.apart(found, name, lowest=lowest) else ""
        for name, lowest in ((least, True), (most, False))
    ]
    said = f"{last}{measure.unit}{owners[1]}"
    if first != last:
        said = f"{first}{owners[0]} to {said}"
    ends = [(own.low, own.high) for own in found.values() if own.low is not None and own.high is not None]
    if not ends:
        return f"{said} (no interval)"
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    span = f"[{numbers.fixed(measure.scale * low, digits)}, {numbers.fixed(measure.scale * high, digits)}]"
    return f"{said} {span}"


def caption(
    plan: Plan, panels: Sequence[Panel], rest: Sequence[Point], analyses: Sequence[load.Analysis]
) -> str:
    """What is drawn, what it rests on, its intervals and chance levels, and what is not in it."""
    found = [point for panel in panels for point in panel.points]
    known = [own for measure in plan.measures for point in found if (own := measure.get(point)) is not None]
    methods = text.interval_methods(known)
    grey = dict.fromkeys(
        point.population.pruner
        for point in found
        if point.population.control and not point.population.trained
    )
    return " ".join(
        part
        for part in (
            _counted(plan.measures[0], found),
            *(measure.note(found) for measure in plan.measures),
            f"{_drawn(plan)} ({methods}).",
            f"Grey: untrained controls ({', '.join(grey)}), whose masks nothing chose." if grey else "",
            _gap(plan, panels),
            _panels(plan, panels),
            _left(plan, panels, rest),
            _imported(analyses),
        )
        if part
    )


def _counted(measure: Measure, found: Sequence[Point]) -> str:
    draws = text.counted([point.population.blocks for point in found], "draw")
    members = text.counted([point.population.stored for point in found], "member")
    if measure.noun == "member":
        return f"n = {members} per point, on {draws} of base weights."
    counts = text.counted([measure.count(point) for point in found], measure.noun)
    return f"n = {counts} per point, of {members} on {draws} of base weights."


def _drawn(plan: Plan) -> str:
    if plan.axis is lines.NETWORK:
        return "Points: means, side by side by pruner; strokes: their intervals"
    return (
        f"A line joins populations that differ in nothing but {plan.axis.name}, and what follows from it; "
        "band or stroke: interval of the mean"
    )


def _panels(plan: Plan, panels: Sequence[Panel]) -> str:
    """What sets panels apart, and that no scale is shared where none may be."""
    if len(panels) < 2:
        return ""
    many = f" {drawing.MOST} of {len(panels)} are drawn." if len(panels) > drawing.MOST else ""
    several = any(measure.by_data for measure in plan.measures) and len({panel.data for panel in panels}) > 1
    apart = " Different data sets are not on one scale." if several else ""
    return f"Panels differ in what stands above them.{many}{apart}"


def _gap(plan: Plan, panels: Sequence[Panel]) -> str:
    if all(len(parts) == 1 for parts in scales.limits(plan.measures, panels).values()):
        return ""
    return "A gap that would take most of an axis is left out; both parts have one scale."


def _left(plan: Plan, panels: Sequence[Panel], rest: Sequence[Point]) -> str:
    """Which populations are in no panel, and what sets them apart from the nearest one."""
    named = []
    for study in dict.fromkeys(point.study for point in rest):
        own = [point for point in rest if point.study == study]
        told = [lines.differing([panel.points[0], own[0]], plan.axis) for panel in panels]
        besides = recipe.listed([texts[-1] for texts in min(told, key=len).values()])
        found = numbers.count(len(own), "population")
        named.append(f"{found} of {study}{f' ({besides})' if besides else ''}")
    return f"Left out, as no line reaches them: {'; '.join(named)}." if named else ""


def _imported(analyses: Sequence[load.Analysis]) -> str:
    names = points.left_out(analyses)
    return f"Left out, as their recipe is not known: {recipe.listed(names)}." if names else ""


def absent(plan: Plan, found: Sequence[Point]) -> str:
    """Why no two populations of a pruner make a line."""
    told = lines.differing(found, plan.axis)
    besides = "; ".join(f"{name} ({_bare(name, own)})" for name, own in told.items())
    reason = f": beside it they differ in {besides}" if besides else ", as too few have a value"
    return f"No two populations of a pruner differ in {plan.axis.name} alone{reason}."


def _bare(name: str, found: Sequence[str]) -> str:
    return recipe.listed([one.removeprefix(f"{name} ") for one in found])
