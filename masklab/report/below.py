"""Tables of members, and of what is not in every study: movement, imported masks, unmasked parameters."""

from dataclasses import replace
from math import prod

from masklab.report import load, models, numbers, recipe, style, tables


def movement(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Whole-mask movement, one row per population and snapshot."""
    columns = (
        tables.Column("population", numeric=False),
        tables.Column("epoch", note="epochs done at the snapshot"),
        tables.Column("next", note="epochs done at the next snapshot; the final mask is the last one"),
        tables.Column("bits flipped per epoch, %", note="from this snapshot to the next"),
        tables.Column("distance to the final mask", note="Hamming, 0 = equal"),
        tables.Column("chance level", note="for independent masks with the same per-layer kept counts"),
    )
    whole = [row for row in analysis.results.movement if row.layer == load.WHOLE]
    ways = {(row.population, row.epoch): row for row in whole if row.metric == "to_final"}
    places: list[tuple[str, int, models.Movement | None]] = [
        (row.population, row.epoch, row) for row in whole if row.metric == "flipped_per_epoch"
    ]
    placed = {(name, epoch) for name, epoch, _ in places}
    places += [(name, epoch, None) for name, epoch in ways if (name, epoch) not in placed]
    rows = []
    for name, epoch, flip in sorted(
        places, key=lambda place: (analysis.names.index(place[0]), place[1], place[2].to if place[2] else 0)
    ):
        way = ways.get((name, epoch))
        chance = way.chance if way else None
        digits = numbers.decimals(way.estimate, 1.0, 4) if way else 4
        rows.append(
            [
                tables.population(name, theme),
                tables.Cell(f"{epoch}", epoch),
                tables.Cell(f"{flip.to}", flip.to) if flip else tables.Cell(numbers.UNDEFINED),
                _moved(flip, 100.0, 3),
                _moved(way, 1.0, 4),
                tables.Cell(numbers.UNDEFINED if chance is None else numbers.fixed(chance, digits), chance),
            ]
        )
    return tables.Table(
        key, "Movement of whole masks, from snapshot to snapshot; means over members.", columns, rows
    )


def settling(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """When each layer settles, one row per population and layer."""
    columns = (
        tables.Column("population", numeric=False),
        tables.Column("layer", numeric=False),
        tables.Column("settled at epoch", note="from then on the mask stays near the final one"),
        tables.Column("chance level, epoch", note="for independent masks with the same kept counts"),
    )
    found = analysis.results.settling
    rows = [
        [
            tables.population(row.population, theme),
            tables.Cell("whole mask" if row.layer == load.WHOLE else row.layer, row.layer),
            replace(
                tables.estimate(row.estimate, "undefined", 1.0, numbers.decimals(row.estimate, 1.0, 1)),
                count=numbers.count(row.members, "member"),
            ),
            tables.Cell(
                numbers.UNDEFINED if row.chance is None else numbers.fixed(row.chance, 1), row.chance
            ),
        ]
        for row in found
    ]
    near = " and ".join(dict.fromkeys(f"{100 * row.tolerance:g} %" for row in found))
    caption = (
        f"Epoch from which on at most {near} of the weights of a layer still differ from the final mask; "
        "mean over members. It is only as fine as the snapshots are."
    )
    return tables.Table(key, caption, columns, rows)


def _moved(row: models.Movement | None, scale: float, digits: int) -> tables.Cell:
    if row is None:
        return tables.estimate(None, "no such snapshots", scale, digits)
    shown = numbers.decimals(row.estimate, scale, digits)
    cell = tables.estimate(row.estimate, "undefined", scale, shown)
    return replace(cell, count=numbers.count(row.members, "member"))


_WEIGHTS = {"whole": "known", "kept": "known where they are kept", "none": "not known"}


def imported(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Where populations of other tools came from, and what is not known of them."""
    columns = (
        tables.Column("population", numeric=False),
        tables.Column("format", numeric=False),
        tables.Column("files", numeric=False, note="in the order of the members, with their SHA-256"),
        tables.Column("base weights", numeric=False),
        tables.Column("not known", numeric=False),
    )
    rows = []
    for population in analysis.results.populations:
        if population.imported is None:
            continue
        found = population.imported
        sources = recipe.listed([f"{file['name']} ({file['sha256'][:12]}…)" for file in found.files])
        weights, unknown = _WEIGHTS[found.weights], ", ".join(found.unknown)
        rows.append(
            [
                tables.population(population.name, theme),
                tables.Cell(found.format, found.format),
                tables.Cell(sources, sources),
                tables.Cell(weights, weights),
                tables.Cell(unknown, unknown),
            ]
        )
    return tables.Table(key, "Masks of other tools.", columns, rows)


def unmasked(study: models.Study, key: str) -> tables.Table:
    """Every parameter that is not masked, and what it is instead."""
    columns = (
        tables.Column("parameter", numeric=False),
        tables.Column("shape", numeric=False),
        tables.Column("values"),
        tables.Column("what it is", numeric=False),
    )
    rows = []
    for parameter in study.network.unmasked:
        shape, size = " × ".join(map(str, parameter.shape)) or "1", prod(parameter.shape)
        rule = recipe.RULES.get(parameter.rule, parameter.rule)
        rows.append(
            [
                tables.Cell(parameter.name, parameter.name),
                tables.Cell(shape, shape),
                tables.Cell(f"{size:,}", size),
                tables.Cell(rule, rule),
            ]
        )
    return tables.Table(key, "Parameters that are not masked.", columns, rows)


def members(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Every stored member."""
    columns = (
        tables.Column("member", numeric=False),
        tables.Column("weight draw"),
        tables.Column("accuracy, %"),
        tables.Column("validation accuracy, %"),
        tables.Column("best epoch", note="epochs done when the validation accuracy was first at its best"),
        tables.Column("best-epoch accuracy, %"),
        tables.Column("refresh events"),
        tables.Column("density kept", note="fraction of weights"),
    )
    digits = numbers.places(analysis.study.data.test or 0)
    chosen = numbers.places(analysis.study.data.validation or 0)
    marks = {population.name: recipe.mark(population) for population in analysis.results.populations}
    rows = [
        [
            replace(
                tables.population(member.population, theme, marks[member.population]),
                text=member.id,
                value=member.id,
            ),
            tables.Cell(f"{member.block}", member.block),
            _share(member.accuracy, digits),
            _share(member.validation_accuracy, chosen),
            tables.Cell(numbers.plain(member.best_epoch), member.best_epoch),
            _share(member.best_epoch_accuracy, digits),
            tables.Cell(f"{member.refresh_events}", member.refresh_events),
            tables.Cell(numbers.fixed(member.kept_density, 4), member.kept_density),
        ]
        for member in analysis.results.members
    ]
    return tables.Table(key, f"All {numbers.count(len(rows), 'stored member')}.", columns, rows)


def _share(fraction: float | None, digits: int) -> tables.Cell:
    if fraction is None:
        return tables.Cell(numbers.UNDEFINED)
    return tables.Cell(numbers.percent(fraction, digits), 100.0 * fraction)


def _population(analysis: load.Analysis, member: str) -> list[str]:
    """The population that a member's id names, if the study has it."""
    return [name for name in [member.rpartition("/")[0]] if name in analysis.names]


def failures(analysis: load.Analysis, key: str) -> tables.Table:
    """Members whose training failed."""
    columns = (
        tables.Column("member", numeric=False),
        tables.Column("cause", numeric=False),
        tables.Column("step"),
    )
    rows = [
        [
            tables.Cell(failure.id, failure.id, populations=_population(analysis, failure.id)),
            tables.Cell(numbers.plain(failure.cause), failure.cause),
            tables.Cell(numbers.plain(failure.step), failure.step),
        ]
        for failure in analysis.results.failures
    ]
    return tables.Table(
        key, "Members whose training failed; they are in no number of this page.", columns, rows
    )
