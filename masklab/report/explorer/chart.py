"""How the three views are drawn, as Vega-Lite written by Altair; the script brings the rows.

Rows carry places: `i` of a member, `k` of a row of the heat map, `c` of a curve, `p` of a population. The
script works out how strongly each of them is seen and hands that in as one list, `shade`: Vega looks up a
number and evaluates nothing else, as its interpreter is slow.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from masklab.report import style
from masklab.report.explorer import cells, curves, data

if TYPE_CHECKING:
    import altair as alt

Spec = dict[str, Any]

_COLOURS = {"ink": "#1a1d21", "grid": "#d5dae0", "paper": "#ffffff"}
"""Parameters that the script sets to the page's colours, and what exported pictures have."""

_BETWEEN = -1
"""Population of a curve between two populations."""

_MARGIN = 0.04  # of the square that points are placed in
_FEW = 250  # members; with more of them points are smaller

_SHAPES = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "M-1,-0.6L-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0Z",
    "<": "triangle-left",
    ">": "triangle-right",
    "*": "M0,-1L.25,-.35L.95,-.31L.4,.13L.59,.81L0,.43L-.59,.81L-.4,.13L-.95,-.31L-.25,-.35Z",
}
"""Vega's name or outline of each of matplotlib's markers that `style` uses."""


def places(theme: style.Theme, colours: Sequence[str], draws: Sequence[int], members: int) -> Spec:
    """Members as points; `brush` is the rectangle that is dragged.

    Args:
        theme: Markers of the draws.
        colours: Of the populations.
        draws: All draws of base weights.
        members: Number of members.
    """
    import altair as alt

    edge = _MARGIN * data.SIDE
    axis = alt.Axis(labels=False, ticks=False, domain=False, title=None, tickCount=6)
    scale = alt.Scale(domain=[-edge, data.SIDE + edge], nice=False, zero=False)
    at = {"x": alt.X("x:Q", axis=axis, scale=scale), "y": alt.Y("y:Q", axis=axis, scale=scale)}
    shapes = alt.Scale(domain=list(draws), range=[_SHAPES[theme.marker(draw, draws)] for draw in draws])
    told_apart = theme.blocks_have_markers(draws)
    size = 60 if members <= _FEW else 24
    points = (
        _of("places", "points")
        .mark_point(filled=True, size=size)
        .encode(
            **at,
            color=_population(colours),
            shape=alt.Shape(
                "b:N", scale=shapes, legend=alt.Legend(title="weight draw") if told_apart else None
            ),
            opacity=alt.value(alt.expr("shade[datum.i]")),
        )
        .add_params(
            alt.selection_interval(
                name="brush",
                encodings=["x", "y"],
                # Shift adds single points, and a wheel over the rectangle must go on scrolling the page
                on="[pointerdown[!event.shiftKey], window:pointerup] > window:pointermove!",
                zoom=False,
                mark=alt.BrushConfig(fill="#808080", fillOpacity=0.12, stroke="#808080"),
            )
        )
    )
    ring = _of("hover", "ring").mark_point(size=3 * size, strokeWidth=2, color=alt.expr("ink")).encode(**at)
    return _finished([points, ring], alt.AutoSizeParams(type="pad"))


def distances(found: cells.Cells, colours: Sequence[str]) -> Spec:
    """Distances as coloured cells, stripes in the colours of populations, veils over what is not selected."""
    import altair as alt

    x, y = alt.X("j:O", axis=None), alt.Y("i:O", axis=None)
    most = found.high if found.high > found.low else found.low + 1e-9
    legend = alt.Legend(title="Hamming distance", gradientLength=160, tickCount=3, format=".3~f")
    scale = alt.Scale(scheme="viridis", domain=[found.low, most], nice=False, zero=False)
    colour = alt.Color("v:Q", scale=scale, legend=legend)
    squares = _of("cells", "squares").mark_rect().encode(x=x, y=y, color=colour)
    across, down = alt.X("k:O", axis=None), alt.Y("k:O", axis=None)
    wide: Any = {"x": alt.value(0), "x2": alt.value("width")}
    high: Any = {"y": alt.value(0), "y2": alt.value("height")}
    veil: Any = {"color": alt.expr("paper"), "opacity": alt.expr("1 - shade[datum.k]")}
    rows = _of("rows", "rows").mark_rect(**veil).encode(y=down, **wide)
    columns = _of("rows", "columns").mark_rect(**veil).encode(x=across, **high)
    start, end = alt.value(-9), alt.value(-3)
    shown, plain = _population(colours), _population(colours, legend=False)
    left = _of("rows", "left").mark_rect().encode(x=start, x2=end, y=down, color=shown)
    top = _of("rows", "top").mark_rect().encode(y=start, y2=end, x=across, color=plain)
    frame = _of("hover", "frame").mark_rect(filled=False, stroke=alt.expr("ink"), strokeWidth=2)
    drawn = [squares, rows, columns, left, top, frame.encode(x=x, y=y)]
    return _finished(drawn, alt.AutoSizeParams(type="pad"))


def lines(found: curves.Curves, colours: Sequence[str], chance: Sequence[float]) -> Spec:
    """Accuracy along straight lines, in the colour of the population that both ends are of.

    Args:
        found: The curves.
        colours: Of the populations.
        chance: Accuracies of guessing, as fractions.
    """
    import altair as alt

    low = 100.0 * min([found.low, *chance])
    scale = alt.Scale(domain=[low, 100.0 * found.high], nice=True, zero=False)
    x = alt.X(
        "t:Q",
        title="position t on the line",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(tickCount=5, grid=False),
    )
    y = alt.Y("y:Q", title="test accuracy, %", scale=scale, axis=alt.Axis(tickCount=6))
    walks = (
        _of("lines", "walks")
        .mark_line(strokeWidth=1.4, opacity=alt.expr("shade[datum.c]"))
        .encode(x=x, y=y, detail="c:N", color=_population(colours, between=True))
    )
    hovered = _of("hover", "hovered").mark_line(strokeWidth=3, color=alt.expr("ink")).encode(x=x, y=y)
    guesses = [
        _of("once", f"guess{place}")
        .mark_rule(strokeDash=[5, 4], color=alt.expr("ink"))
        .encode(y=alt.Y(datum=100.0 * level))
        for place, level in enumerate(chance)
    ]
    return _finished([walks, *guesses, hovered], alt.AutoSizeParams(type="fit-x", contains="padding"))


def _of(rows: str, name: str) -> "alt.Chart":
    """A layer; Altair would number the names of those that have none."""
    import altair as alt

    return alt.Chart(alt.NamedData(name=rows), name=name)


def _population(colours: Sequence[str], *, between: bool = False, legend: bool = True) -> "alt.Color":
    """Colour by population, with a legend that the script leaves to the page's buttons on the screen."""
    import altair as alt

    domain: list[Any] = list(range(len(colours)))
    shown: list[Any] = list(colours)
    if between:
        domain, shown = [*domain, _BETWEEN], [*shown, alt.expr("ink")]
    listed = alt.Legend(
        title="population",
        labelExpr=f"datum.value == {_BETWEEN} ? 'between populations' : names[datum.value]",
        values=alt.expr("known"),
        columns=2,
        labelLimit=260,
    )
    return alt.Color("p:N", scale=alt.Scale(domain=domain, range=shown), legend=listed if legend else None)


def _finished(layers: Sequence["alt.Chart"], autosize: "alt.AutoSizeParams") -> Spec:
    """The specification with its parameters and its look."""
    import altair as alt

    ink, soft = alt.expr("ink"), alt.expr("grid")
    plain: Any = {"titleFontWeight": "normal", "labelColor": ink, "titleColor": ink}
    given = {"shade": [], "names": [], "known": [], "headline": "", **_COLOURS}
    chart = (
        alt.LayerChart(layer=list(layers), autosize=autosize)
        .add_params(*(alt.param(name=key, value=value) for key, value in given.items()))
        .properties(title=alt.TitleParams(text=alt.expr("headline"), anchor="start"))
        .resolve_scale(color="independent")
        .configure(
            background="transparent",
            font="system-ui, 'DejaVu Sans', sans-serif",
            axis=alt.AxisConfig(**plain, gridColor=soft, tickColor=soft, domainColor=soft),
            legend=alt.LegendConfig(**plain, orient="bottom", symbolFillColor=ink),
            title=alt.TitleConfig(color=ink, fontSize=12, fontWeight="normal", offset=14),
            view=alt.ViewConfig(stroke=None),
        )
    )
    with alt.theme.enable("none"):  # whatever the caller draws with
        spec = chart.to_dict()
    del spec["$schema"]  # an address, and the version is that of the runtime
    return spec
