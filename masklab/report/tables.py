"""Tables of the page as rows of cells; the template only lays them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from masklab.report import load, models, numbers, recipe, records, style
from masklab.report.landscape import rows as landscape


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What is printed.
        value: What it sorts by, at full precision; None sorts last.
        detail: A smaller second line: an interval, or why there is no value.
        colour: Colour of the population's mark before the text.
        count: A smaller third line: how many pairs the value rests on.
        populations: Populations that the row is about, as far as this cell says; hiding one hides the row.
    """

    text: str
    value: int | float | str | None = None
    detail: str = ""
    colour: str = ""
    count: str = ""
    populations: Sequence[str] = ()


def population(name: str, theme: style.Theme, detail: str = "") -> Cell:
    """The cell of a population: its name behind its colour, with a smaller second line."""
    return Cell(name, name, detail, colour=theme.colours[name], populations=(name,))


def named(name: str, detail: str = "") -> Cell:
    """The cell of a population where no colour is wanted: one of a pair."""
    return Cell(name, name, detail, populations=(name,))


@dataclass(frozen=True)
class Column:
    """One column; `numeric` columns are right-aligned, `note` explains the heading."""

    label: str
    numeric: bool = True
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A sortable table; `key` is its anchor."""

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


_SUMMARY = (
    Column(
        "population",
        numeric=False,
        note="below it the pruner where the name does not say it, and how often base weights were refreshed",
    ),
    Column("density", note="fraction of weights kept; below it the share that is pruned"),
    Column("members", note="stored, and on how many draws of base weights; failed ones are named"),
    Column(
        "accuracy, %",
        note="test accuracy after the last epoch: mean ± standard deviation over members; below it the mean "
        "of the epoch with the best validation accuracy",
    ),
    Column(
        "Jaccard similarity",
        note="weights that both of a pair keep ÷ those that at least one keeps; below it the chance level, "
        "for independent masks with the same kept counts per layer",
    ),
    Column(
        "chance-corrected",
        note="0 = chance level, 1 = the most there can be; below it the same given the size |w| of the base "
        "weights: near 0 where overlap is explained by which weights are large",
    ),
    Column(
        "stability",
        note="Nogueira's: 0 = chance level, 1 = all masks equal; below it the pairs that it and the overlaps "
        "rest on",
    ),
    Column("barrier, points", note="Entezari's, of the test error, within the population"),
)


def summary(analyses: Sequence[load.Analysis], theme: style.Theme, key: str) -> Table:
    """Table of pruners; with several studies, their names stand in a first column."""
    several = len(analyses) > 1
    rows = []
    for analysis in analyses:
        name = analysis.study.name
        rows += [
            [*([Cell(name, name)] if several else []), *_population(analysis, own, theme)]
            for own in analysis.results.populations
        ]
    columns = (*([Column("study", numeric=False)] if several else []), *_SUMMARY)
    level = numbers.level(row.estimate for analysis in analyses for row in analysis.results.accuracy)
    caption = (
        f"Populations. Brackets: {level} intervals. "
        "Overlap, stability and barrier: members of a population that share base weights."
    )
    return Table(key, caption, columns, rows)


def _population(analysis: load.Analysis, own: models.Population, theme: style.Theme) -> list[Cell]:
    name, none = own.name, _no_pairs(analysis, own)
    stability = analysis.stability(name)
    sampled = numbers.count(stability.pairs, "pair") if stability and stability.pairs else ""
    kept, _, pruned = numbers.density(own.density).partition(" ")
    absent = {"failed": own.failed, "missing": own.members - own.stored - own.failed}
    lacking = ", ".join(f"{number} {what}" for what, number in absent.items() if number > 0)
    return [
        population(name, theme, _marks(analysis, own)),
        Cell(kept, own.density, pruned.strip("()")),
        Cell(f"{own.stored}", own.stored, lacking, count=numbers.count(own.blocks, "draw")),
        _accuracy(analysis, own),
        _similarity(analysis.overlap(name, name, "jaccard_similarity"), none),
        _corrected(analysis, name, none),
        replace(sensible(_of(stability), none, 1.0, 3), count=sampled),
        _barrier(analysis.path(name, name)),
    ]


def _marks(analysis: load.Analysis, own: models.Population) -> str:
    """The pruner where the name hides it, and what a reader must know before comparing the row."""
    pruner = "" if own.name == own.pruner or own.name.startswith(f"{own.pruner}-d") else own.pruner
    outside = "" if own.compared else ", outside every overlap"
    replicated = own.name in recipe.reference_fan(analysis)
    replication = "fan_scale = reference, replication only" if replicated else ""
    return "; ".join(filter(None, (pruner, f"{recipe.mark(own)}{outside}", _refreshed(own), replication)))


def _refreshed(own: models.Population) -> str:
    events = own.refresh_events
    if not own.refresh or events is None or events.min is None or events.max is None:
        return ""
    most = numbers.count(events.max, "refresh", "refreshes")
    return most if events.min == events.max else f"{events.min}–{most}"


def _no_pairs(analysis: load.Analysis, own: models.Population) -> str:
    if analysis.results.without_pairs and own.compared:
        return "needs all pairs, which were left out"
    if not own.compared:
        return "outside every overlap"
    return "fewer than two members" if own.stored < 2 else "no two members share base weights"


def _accuracy(analysis: load.Analysis, own: models.Population) -> Cell:
    """Mean ± standard deviation in percent, its interval, and the mean at the best epoch."""
    row, best = analysis.accuracy(own.name), analysis.accuracy(own.name, "best_epoch_accuracy")
    if row is None:
        return Cell(numbers.UNDEFINED, None, "not recorded")
    digits = numbers.places(analysis.study.data.test or 0)
    cell = estimate(row.estimate, "undefined", 100.0, digits)
    if row.estimate.value is not None and row.sd is not None:
        cell = replace(cell, text=f"{cell.text} ± {numbers.percent(row.sd, digits)}")
    if best is None or best.estimate.value is None:
        return cell
    return replace(cell, count=f"best epoch {numbers.percent(best.estimate.value, digits)}")


def _of(row: models.Overlap | records.Measured | None) -> records.Estimate | None:
    return row.estimate if row else None


def _z(row: models.Overlap | None) -> str:
    return "" if row is None or row.z is None else f"z = {row.z:.3g}".replace("-", "−")


def _similarity(row: models.Overlap | None, otherwise: str) -> Cell:
    return sensible(_of(row), otherwise, 1.0, 4, {"chance": row.chance if row else None})


def _corrected(analysis: load.Analysis, name: str, otherwise: str) -> Cell:
    row = analysis.overlap(name, name, "chance_corrected")
    given = analysis.overlap(name, name, "chance_corrected_magnitude")
    cell = sensible(_of(row), otherwise, 1.0, 3)
    if given is None or given.estimate.value is None:
        return cell
    digits = numbers.decimals(given.estimate, 1.0, 3)
    return replace(cell, count=f"given |w| {numbers.fixed(given.estimate.value, digits)}")


def _barrier(path: landscape.Path | None) -> Cell:
    """Mean barrier in points, its interval, and on how many of the pairs it was measured."""
    if path is None:
        return estimate(None, "not measured", 100.0, 2)
    cell = estimate(path.barrier.entezari_error, "not measured", 100.0, numbers.places(path.images))
    sampled = f"{path.pairs} of {path.of_pairs} pairs" if path.of_pairs else numbers.count(path.pairs, "pair")
    return replace(cell, count=sampled)


def estimate(found: records.Estimate | None, otherwise: str, scale: float, digits: int) -> Cell:
    """A value with its interval, or a dash with the reason.

    Args:
        found: The estimate, if there is one.
        otherwise: Reason why there is none.
        scale: Factor on everything: 100 for percent and points.
        digits: Decimals.
    """
    if found is None:
        return Cell(numbers.UNDEFINED, None, otherwise)
    if found.value is None:
        return Cell(numbers.UNDEFINED, None, found.why or "undefined")
    detail = numbers.interval(found, scale, digits) or found.why or "no interval"
    return Cell(numbers.fixed(scale * found.value, digits), scale * found.value, detail)


def brief(found: records.Estimate, otherwise: str, scale: float, digits: int) -> Cell:
    """The same as `estimate`, but why there is no interval is not repeated in every row.

    Args:
        found: The estimate.
        otherwise: Reason why there is no value, where it does not say.
        scale: Factor on everything.
        digits: Decimals.
    """
    cell = estimate(found, otherwise, scale, digits)
    return replace(cell, detail="no interval") if found.value is not None and found.low is None else cell


def sensible(
    found: records.Estimate | None,
    otherwise: str,
    scale: float,
    digits: int,
    levels: Mapping[str, float | None] | None = None,
) -> Cell:
    """The same as `brief`, in as many decimals as the interval carries, above what it is to be compared with.

    Args:
        found: The estimate, if there is one.
        otherwise: Reason why there is none.
        scale: Factor on everything.
        digits: Decimals where there is no interval.
        levels: Levels to compare with by their names, in the same unit; None: it is not known.
    """
    if found is None:
        return estimate(None, otherwise, scale, digits)
    shown = numbers.decimals(found, scale, digits)
    return replace(brief(found, otherwise, scale, shown), count=numbers.levels(levels or {}, scale, shown))


_PAIRS = (
    Column("first", numeric=False),
    Column("second", numeric=False),
    Column("base weights", numeric=False, note="whether the two of a pair lie over the same draw"),
    Column("seeds", numeric=False, note="whether the two of a pair have the same seeds"),
    Column("pairs"),
    Column("Jaccard similarity", note="below it the chance level"),
    Column(
        "observed ÷ expected",
        note="kept weights in common over those expected of independent masks; 1 = chance level; z: standard "
        "deviations from it, no measure of size as it grows with the number of weights",
    ),
    Column("chance-corrected", note="0 = chance level, 1 = the most there can be"),
    Column(
        "given |w|",
        note="chance-corrected given the size of the base weights (bits permuted within tenths of |w|): near "
        "0 where overlap is explained by which weights are large",
    ),
    Column("barrier, points", note="Entezari's, of the test error, on the straight line"),
)


def pairs(analysis: load.Analysis, key: str) -> Table:
    """Whole-mask overlap and barrier for every pair of populations and every kind of pair."""
    imported = {own.name: own.imported for own in analysis.results.populations if own.imported}
    rows = []
    for row in analysis.results.overlap:
        if row.layer != load.WHOLE or row.metric != "chance_corrected":
            continue
        foreign = [imported[name] for name in (row.a, row.b) if name in imported]
        similarity, ratio, given = (
            analysis.overlap(row.a, row.b, metric, block=row.block, seed=row.seed)
            for metric in ("jaccard_similarity", "observed_over_expected", "chance_corrected_magnitude")
        )
        blocks = "shared" if row.block == "within" else "different"
        if any(source.weights != "whole" for source in foreign):
            blocks = "unknown"
        seeds = "unknown" if foreign else row.seed
        rows.append(
            [
                named(row.a),
                named(row.b),
                Cell(blocks, blocks),
                Cell(seeds, seeds),
                Cell(f"{row.pairs:,}", row.pairs),
                _similarity(similarity, "not computed"),
                replace(sensible(_of(ratio), "not computed", 1.0, 3), count=_z(ratio)),
                sensible(row.estimate, "not computed", 1.0, 4),
                sensible(_of(given), "not computed", 1.0, 4),
                _barrier(analysis.path(row.a, row.b, row.block, row.seed)),
            ]
        )
    level = numbers.level(row.estimate for row in analysis.results.overlap)
    caption = f"Overlap and barrier by pair of populations, whole masks. Brackets: {level} intervals."
    return Table(key, caption, _PAIRS, rows)
