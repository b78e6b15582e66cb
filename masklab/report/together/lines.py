"""Which populations make a line: those that differ in nothing but one axis."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from masklab.report import records
from masklab.report.together.points import Point

Position = float | str


@dataclass(frozen=True)
class Axis:
    """One thing that populations may differ in.

    Attributes:
        name: The setting, by its name in `Point.settings`.
        label: Of the axis.
        place: Where a population stands on it; None where that is not known.
        implied: Settings that follow from it.
    """

    name: str
    label: str
    place: Callable[[Point], Position | None]
    implied: frozenset[str] = frozenset()

    def say(self, place: Position) -> str:
        """A position in a sentence: a network by its name alone.

        Examples:
            >>> DENSITY.say(0.05), NETWORK.say("conv2")
            ('at density 0.05', 'on conv2')
        """
        return f"on {place}" if isinstance(place, str) else f"at {self.name} {place:g}"


DENSITY = Axis("density", "density (fraction of weights kept)", lambda point: point.population.density)
WIDTH = Axis(
    "width",
    "width (factor on the numbers of channels)",
    lambda point: point.analysis.study.network.width,
    frozenset({"masked layers"}),
)
NETWORK = Axis(
    "network", "network", lambda point: point.analysis.study.network.name, frozenset({"masked layers"})
)


@dataclass(frozen=True)
class Line:
    """Populations of one pruner that differ in nothing but the axis, by their place on it.

    Attributes:
        pruner: Their pruner.
        label: The pruner, with the options that set it apart from other lines of it.
        style: Place among the lines of its pruner.
        places: At least one.
    """

    pruner: str
    label: str
    style: int
    places: Sequence[tuple[Position, Point]]


@dataclass(frozen=True)
class Panel:
    """Lines that have everything in common but pruner and axis.

    Attributes:
        title: What sets it apart from the other panels; empty for the only one.
        data: Identity of its data set: only panels of one data set have comparable accuracies.
        lines: By pruner.
    """

    title: str
    data: str
    lines: Sequence[Line]

    @property
    def places(self) -> list[Position]:
        """All positions, ascending; networks in the order of the page."""
        return ordered(place for line in self.lines for place, _ in line.places)

    @property
    def points(self) -> list[Point]:
        """All populations."""
        return [point for line in self.lines for _, point in line.places]


_Context = tuple[tuple[str, str], ...]
_Placed = list[tuple[Position, Point]]


def ordered(places: Iterable[Position]) -> list[Position]:
    """Different positions: numbers ascending, then names as they come.

    Examples:
        >>> ordered([0.5, 0.1, 0.5]), ordered(["conv4", "conv2"])
        ([0.1, 0.5], ['conv4', 'conv2'])
    """
    found = list(dict.fromkeys(places))
    numbers = sorted(place for place in found if not isinstance(place, str))
    return [*numbers, *(place for place in found if isinstance(place, str))]


def varies(found: Iterable[Point], axis: Axis) -> bool:
    """Whether one pruner has several positions on an axis, whatever else differs."""
    seen: dict[str, set[Position]] = {}
    for point in found:
        if (place := axis.place(point)) is not None:
            seen.setdefault(point.population.pruner, set()).add(place)
    return any(len(places) > 1 for places in seen.values())


def panels(
    found: Sequence[Point], axis: Axis, measured: Callable[[Point], records.Estimate | None]
) -> tuple[list[Panel], list[Point]]:
    """Panels in which a line joins at least two positions, and the populations that are in none.

    Accuracy references have a density of their own: they stand beside masks of any density.

    Args:
        found: All populations.
        axis: What they differ in.
        measured: What is drawn of each; those without a value are in neither.
    """
    known = [point for point in found if _value(measured(point)) is not None and _placed(point, axis)]
    masks = [point for point in known if point.population.compared]
    contexts: dict[_Context, list[Point]] = {}
    for point in masks or known:
        contexts.setdefault(_context(point, axis), []).append(point)
    groups = [part for own in contexts.values() for part in _apart(own, axis)]
    drawn = [own for own in groups if any(len(set(places)) > 1 for places in _positions(own, axis).values())]
    references = [point for point in known if not point.population.compared] if masks else []
    whole = [[*own, *_beside(own, references, axis)] for own in drawn]
    shown = {id(point) for own in whole for point in own}
    made = [
        Panel(title, own[0].settings["data"].identity, _lines(own, axis))
        for title, own in zip(_titles(drawn, axis), whole, strict=True)
    ]
    return made, [point for point in known if id(point) not in shown]


def differing(found: Sequence[Point], axis: Axis) -> dict[str, list[str]]:
    """Settings beside an axis in which populations differ: name → what there is of each, as it is printed."""
    names = dict.fromkeys(name for point in found for name in point.settings)
    texts = {
        name: list(dict.fromkeys(_text(point, name) for point in found))
        for name in names
        if name not in {axis.name, *axis.implied}
    }
    return {name: own for name, own in texts.items() if len(own) > 1}


def _value(estimate: records.Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _placed(point: Point, axis: Axis) -> _Placed:
    place = axis.place(point)
    return [] if place is None else [(place, point)]


def _text(point: Point, name: str) -> str:
    own = point.settings.get(name)
    return own.text if own else f"{name} not recorded"


def _context(point: Point, axis: Axis, *but: str) -> _Context:
    """Everything but pruner and axis."""
    skipped = {axis.name, *axis.implied, *but}
    return tuple((name, own.identity) for name, own in point.settings.items() if name not in skipped)


def _beside(found: Sequence[Point], references: Sequence[Point], axis: Axis) -> list[Point]:
    """References that have everything in common with a group but their density."""
    studies = {point.study for point in found}
    wanted = _context(found[0], axis, "density")
    own = [point for point in references if _context(point, axis, "density") == wanted]
    if all(len(set(places)) == len(places) for places in _positions(own, axis).values()):
        return own
    return [point for point in own if point.study in studies]


def _apart(found: Sequence[Point], axis: Axis) -> list[list[Point]]:
    """Studies told apart where two of them have the same pruner in the same place."""
    if all(len(set(places)) == len(places) for places in _positions(found, axis).values()):
        return [list(found)]
    studies: dict[int, list[Point]] = {}
    for point in found:
        studies.setdefault(id(point.analysis), []).append(point)
    return list(studies.values())


def _key(point: Point) -> tuple[str, _Context]:
    return point.population.pruner, tuple((name, own.identity) for name, own in point.options.items())


def _positions(found: Sequence[Point], axis: Axis) -> dict[tuple[str, _Context], list[Position]]:
    positions: dict[tuple[str, _Context], list[Position]] = {}
    for point in found:
        positions.setdefault(_key(point), []).extend(place for place, _ in _placed(point, axis))
    return positions


def _titles(groups: Sequence[Sequence[Point]], axis: Axis) -> list[str]:
    """What sets each group apart from the others; its studies where nothing else does."""
    if len(groups) < 2:
        return [""] * len(groups)
    first = [own[0] for own in groups]
    told = differing(first, axis)
    if told.keys() & {"network", "width"}:
        told.pop("masked layers", None)  # they follow from these
    titles = [", ".join(_text(point, name) for name in told) for point in first]
    counted = Counter(titles)
    return [
        title if counted[title] == 1 else ", ".join(filter(None, (title, studies(own))))
        for title, own in zip(titles, groups, strict=True)
    ]


def studies(found: Iterable[Point]) -> str:
    """Names of the studies of some populations."""
    return " and ".join(dict.fromkeys(point.study for point in found))


def _lines(found: Sequence[Point], axis: Axis) -> list[Line]:
    """Lines of one panel; where options do not tell two populations apart, their names do."""
    groups: dict[tuple[str, _Context], _Placed] = {}
    for point in found:
        groups.setdefault(_key(point), []).extend(_placed(point, axis))
    lines: list[Line] = []
    for (pruner, _), own in groups.items():
        others = [other[0][1] for key, other in groups.items() if key[0] == pruner]
        label = _label(own[0][1], others, axis)
        parts: dict[str, _Placed] = {}
        for place, point in own:
            unique = len({place for place, _ in own}) == len(own)
            parts.setdefault(label if unique else f"{label} · {point.name}", []).append((place, point))
        for name, places in parts.items():
            style = sum(line.pruner == pruner for line in lines)
            order = ordered(place for place, _ in places)
            lines.append(Line(pruner, name, style, sorted(places, key=lambda one: order.index(one[0]))))
    return lines


def _label(point: Point, others: Sequence[Point], axis: Axis) -> str:
    """A pruner with the options in which it differs from its other lines, a reference with its density."""
    names = dict.fromkeys(name for other in others for name in other.options)
    telling = [name for name in names if len({other.options.get(name) for other in others}) > 1]
    told = [point.options[name].text if name in point.options else f"no {name}" for name in telling]
    if not point.population.compared and axis is not DENSITY:
        told.insert(0, point.settings["density"].text)
    return f"{point.population.pruner} ({', '.join(told)})" if told else point.population.pruner
