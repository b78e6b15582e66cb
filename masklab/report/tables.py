"""Tables of the page as rows of cells; the template only lays them out."""

from collections.abc import Sequence
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
    """

    text: str
    value: int | float | str | None = None
    detail: str = ""
    colour: str = ""
    count: str = ""


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
    Column("population", numeric=False),
    Column("pruner", numeric=False),
    Column("density", note="fraction of weights kept"),
    Column("members", note="stored, and on how many draws of base weights; failed ones are named"),
    Column("accuracy, %", note="test accuracy after the last epoch: mean ± standard deviation over members"),
    Column("best-epoch accuracy, %", note="test accuracy at the epoch with the best validation accuracy"),
    Column("Jaccard similarity", note="mean over pairs that share base weights"),
    Column("its chance level", note="for independent masks with the same per-layer kept counts"),
    Column(
        "observed ÷ expected",
        note="kept weights in common over those expected of independent masks; 1 = chance level",
    ),
    Column("chance-corrected", note="0 = chance level, 1 = identical"),
    Column("stability", note="Nogueira's: 0 = chance level, 1 = all masks equal"),
    Column("barrier, points", note="Entezari's, of the test error, within the population"),
    Column("refresh events", note="per member"),
)


def summary(analyses: Sequence[load.Analysis], theme: style.Theme, key: str) -> Table:
    """Table of pruners; with several studies, their names stand in a first column."""
    several = len(analyses) > 1
    rows = []
    for analysis in analyses:
        name = analysis.study.name
        rows += [
            [*([Cell(name, name)] if several else []), *_population(analysis, population, theme)]
            for population in analysis.results.populations
        ]
    columns = (*([Column("study", numeric=False)] if several else []), *_SUMMARY)
    level = next((row.estimate.level for analysis in analyses for row in analysis.results.accuracy), 0.95)
    caption = (
        f"Populations. Brackets: {100.0 * level:g} % intervals. "
        "Overlap, stability and barrier: members of a population that share base weights. z: standard "
        "deviations of the mean overlap from its chance level, no measure of size as it grows with the "
        "number of weights."
    )
    return Table(key, caption, columns, rows)


def _population(analysis: load.Analysis, population: models.Population, theme: style.Theme) -> list[Cell]:
    name = population.name
    similarity = analysis.overlap(name, name, "jaccard_similarity")
    corrected = analysis.overlap(name, name, "chance_corrected")
    path = analysis.path(name, name)
    chance = None if similarity is None else similarity.chance
    none = _no_pairs(analysis, population)
    failed = f"{population.failed} failed" if population.failed else ""
    missing = population.members - population.stored - population.failed
    return [
        Cell(name, name, colour=theme.colours[name]),
        Cell(population.pruner, population.pruner, _marks(analysis, population)),
        _density(population.density),
        Cell(
            f"{population.stored}",
            population.stored,
            ", ".join(filter(None, [failed, f"{missing} missing" if missing > 0 else ""])),
            count=numbers.count(population.blocks, "draw"),
        ),
        _accuracy(analysis.accuracy(name)),
        _best_epoch(analysis, population),
        _with_pairs(estimate(similarity.estimate if similarity else None, none, 1.0, 4), similarity),
        Cell(numbers.UNDEFINED if chance is None else numbers.fixed(chance, 4), chance),
        _with_z(analysis.overlap(name, name, "observed_over_expected"), none),
        estimate(corrected.estimate if corrected else None, none, 1.0, 3),
        _stability(analysis.stability(name), none),
        _barrier(path),
        _events(population),
    ]


def _marks(analysis: load.Analysis, population: models.Population) -> str:
    """What a reader must know of a population before comparing its row with another."""
    outside = "" if population.compared else ", outside every overlap"
    replication = "fan_scale = reference, replication only"
    return "; ".join(
        part
        for part in (
            f"{recipe.mark(population)}{outside}",
            replication if population.name in recipe.reference_fan(analysis) else "",
        )
        if part
    )


def _barrier(path: landscape.Path | None) -> Cell:
    """Mean barrier in points, its interval, and on how many of the pairs it was measured."""
    if path is None:
        return estimate(None, "not measured", 100.0, 2)
    cell = estimate(path.barrier.entezari_error, "not measured", 100.0, numbers.places(path.images))
    sampled = f"{path.pairs} of {path.of_pairs} pairs" if path.of_pairs else numbers.count(path.pairs, "pair")
    return replace(cell, count=sampled)


def _with_pairs(cell: Cell, row: models.Overlap | None) -> Cell:
    """A cell of an overlap with its number of pairs."""
    if row is None:
        return cell
    return replace(cell, count=numbers.count(row.pairs, "pair"))


def _density(density: float) -> Cell:
    kept, _, pruned = numbers.density(density).partition(" ")
    return Cell(kept, density, pruned)


def _with_z(row: models.Overlap | None, otherwise: str) -> Cell:
    cell = estimate(row.estimate if row else None, otherwise, 1.0, 3)
    return cell if row is None or row.z is None else replace(cell, count=f"z = {row.z:.3g}".replace("-", "−"))


def _stability(row: records.Measured | None, otherwise: str) -> Cell:
    return estimate(row.estimate if row else None, otherwise, 1.0, 3)


def _no_pairs(analysis: load.Analysis, population: models.Population) -> str:
    if analysis.results.without_pairs and population.compared:
        return "needs all pairs, which were left out"
    if not population.compared:
        return "outside every overlap"
    return "fewer than two members" if population.stored < 2 else "no two members share base weights"


def _best_epoch(analysis: load.Analysis, population: models.Population) -> Cell:
    cell = _accuracy(analysis.accuracy(population.name, "best_epoch_accuracy"))
    untrained = not population.trained and not population.imported
    return replace(cell, detail="untrained") if untrained and cell.value is None else cell


def _accuracy(row: models.Accuracy | None) -> Cell:
    """Mean ± standard deviation in percent, with the interval of the mean."""
    if row is None:
        return Cell(numbers.UNDEFINED, None, "not recorded")
    cell = estimate(row.estimate, "undefined", 100.0, 2)
    if row.estimate.value is None or row.sd is None:
        return cell
    return Cell(f"{cell.text} ± {numbers.percent(row.sd)}", cell.value, cell.detail)


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


def _events(population: models.Population) -> Cell:
    events = population.refresh_events
    if events is None or events.min is None or events.max is None:
        return Cell(numbers.UNDEFINED)
    text = f"{events.min}" if events.min == events.max else f"{events.min}–{events.max}"
    return Cell(text, events.max)


def pairs(analysis: load.Analysis, key: str) -> Table:
    """Whole-mask overlap and barrier for every pair of populations and every kind of pair."""
    columns = (
        Column("first", numeric=False),
        Column("second", numeric=False),
        Column("base weights", numeric=False),
        Column("seeds", numeric=False),
        Column("pairs"),
        Column("Jaccard similarity"),
        Column("its chance level"),
        Column("chance-corrected"),
        Column("barrier, points"),
    )
    imported = {own.name: own.imported for own in analysis.results.populations if own.imported}
    rows = []
    for row in analysis.results.overlap:
        if row.layer != load.WHOLE or row.metric != "chance_corrected":
            continue
        foreign = [imported[name] for name in (row.a, row.b) if name in imported]
        similarity = analysis.overlap(row.a, row.b, "jaccard_similarity", block=row.block, seed=row.seed)
        path = analysis.path(row.a, row.b, row.block, row.seed)
        chance = similarity.chance if similarity else None
        blocks = "shared" if row.block == "within" else "different"
        if any(source.weights != "whole" for source in foreign):
            blocks = "unknown"
        seeds = "unknown" if foreign else row.seed
        rows.append(
            [
                Cell(row.a, row.a),
                Cell(row.b, row.b),
                Cell(blocks, blocks),
                Cell(seeds, seeds),
                Cell(f"{row.pairs:,}", row.pairs),
                estimate(similarity.estimate if similarity else None, "not computed", 1.0, 4),
                Cell(numbers.UNDEFINED if chance is None else numbers.fixed(chance, 4), chance),
                estimate(row.estimate, "not computed", 1.0, 4),
                _barrier(path),
            ]
        )
    return Table(key, "Overlap and barrier by pair of populations, whole masks.", columns, rows)
