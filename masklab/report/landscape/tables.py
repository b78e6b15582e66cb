"""Tables of the landscape: barriers, sensitive layers, algebra, transfers, chains."""

from dataclasses import replace

from masklab.report import load, numbers, records, style, tables
from masklab.report.landscape import rows, text

_OVER_IMAGES = "over images, points"
_OVER_NOTE = (
    "the same less its bias, with a bootstrap interval over images; below it what straight paths would show "
    "by noise alone"
)
_NAME = tables.Column("population", numeric=False)

_BARRIERS = (
    tables.Column("first", numeric=False),
    tables.Column("second", numeric=False),
    tables.Column("path", numeric=False),
    tables.Column("base weights", numeric=False),
    tables.Column("seeds", numeric=False),
    tables.Column("between the ends", numeric=False, note="what a point of the path is made of"),
    tables.Column("pairs", note="walked, of how many that there are"),
    tables.Column(
        "error barrier, points", note="Entezari's, of the test error; below it that on training images"
    ),
    tables.Column(_OVER_IMAGES, note=_OVER_NOTE),
    tables.Column("loss barrier, nats", note="Entezari's, of the test loss; below it on training images"),
    tables.Column("Frankle's, error, points", note="at least half the difference of the ends"),
    tables.Column("Frankle's, loss, nats"),
    tables.Column("connected, %", note="share of the pairs whose error barrier is below the threshold"),
)


def barriers(analysis: load.Analysis, key: str) -> tables.Table:
    """Barriers of every cell of populations and path."""
    walked = analysis.results.landscape
    tested = [row for row in walked if row.split == "test"]
    train = {_cell(row): row for row in walked if row.split == "train"}
    order = text.in_order(row.path for row in tested)
    tested.sort(key=lambda row: (row.a != row.b, order.index(row.path)))
    threshold = numbers.percent(tested[0].threshold, 0) if tested else ""
    caption = (
        "Barriers by pair of populations, path and kind of pair. Brackets: 95 % intervals, jackknife over "
        "masks, but for the column over images. Train: the same networks on training images. Connected: "
        f"error barrier below {threshold} points, not corrected."
    )
    return tables.Table(key, caption, _BARRIERS, [_barriers(row, train.get(_cell(row))) for row in tested])


def _cell(row: rows.Path) -> tuple[str, ...]:
    return (row.a, row.b, row.path, row.block, row.seed)


def _barriers(row: rows.Path, train: rows.Path | None) -> list[tables.Cell]:
    digits = numbers.places(row.images)
    shared = "shared" if row.block == "within" else "different"
    rule = text.RULES.get(row.rule, row.rule)
    orders = numbers.count(row.orders, "order") if row.orders > 1 else ""
    beside = train.barrier if train else None
    return [
        tables.Cell(row.a, row.a),
        tables.Cell(row.b, row.b),
        tables.Cell(row.path, row.path),
        tables.Cell(shared, shared),
        tables.Cell(row.seed, row.seed),
        tables.Cell(rule, rule),
        tables.Cell(f"{row.pairs:,} of {row.of_pairs:,}", row.pairs, orders),
        _beside(row.barrier.entezari_error, beside.entezari_error if beside else None, 100.0, digits),
        _images(row),
        _beside(row.barrier.entezari_loss, beside.entezari_loss if beside else None, 1.0, 3),
        _optional(row.barrier.frankle_error, 100.0, digits),
        _optional(row.barrier.frankle_loss, 1.0, 3),
        tables.brief(row.connected, "undefined", 100.0, 0),
    ]


def _optional(found: records.Estimate | None, scale: float, digits: int) -> tables.Cell:
    if found is None:
        return tables.Cell(numbers.UNDEFINED, None, "not measured")
    return tables.brief(found, "undefined", scale, digits)


def _beside(
    found: records.Estimate, train: records.Estimate | None, scale: float, digits: int
) -> tables.Cell:
    """An estimate on test images, with that on training images below."""
    cell = tables.brief(found, "undefined", scale, digits)
    if train is None or train.value is None:
        return cell
    interval = numbers.interval(train, scale, digits)
    return replace(cell, count=f"train {numbers.fixed(scale * train.value, digits)} {interval}".rstrip())


def _images(row: rows.Walked) -> tables.Cell:
    """The error barrier over images, less its bias but not under 0, with what noise alone shows."""
    found, digits = row.over_images.get("entezari_error"), numbers.places(row.images)
    if found is None or found.corrected is None or found.low is None or found.high is None:
        why = found.why if found else None
        return tables.Cell(numbers.UNDEFINED, None, why or "not measured")
    low, high = numbers.percent(found.low, digits), numbers.percent(found.high, digits)
    noise = "" if found.chance is None else f"noise {numbers.percent(found.chance, digits)}"
    corrected = max(0.0, found.corrected)
    return tables.Cell(numbers.percent(corrected, digits), 100.0 * corrected, f"[{low}, {high}]", count=noise)


def sensitivity(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """What swapped bits of each layer cost, one row per population and layer."""
    columns = (
        _NAME,
        tables.Column("layer", numeric=False),
        tables.Column("rank", note="1 = the layer whose swaps cost most"),
        tables.Column("accuracy lost, points", note="against the members themselves"),
        tables.Column("by thousand flips, points", note="the same per thousand flipped bits"),
        tables.Column("flipped bits"),
        tables.Column("members"),
    )
    found = [row for row in analysis.results.neighbourhood if row.kind == "layer"]
    made = [
        [
            _name(row.population, theme),
            tables.Cell(row.layer, row.layer),
            tables.Cell(numbers.plain(row.rank), row.rank),
            _short(row.drop, row),
            tables.brief(row.drop_per_flip, "undefined", 100_000.0, 2),
            tables.Cell(f"{row.flips:,.0f}", row.flips),
            tables.Cell(f"{row.members}", row.members),
        ]
        for row in sorted(found, key=lambda row: analysis.names.index(row.population))
    ]
    caption = (
        "Accuracy lost when bits of one layer are swapped, kept for pruned, and all other layers stay. "
        "Brackets: 95 % intervals over members."
    )
    return tables.Table(key, caption, columns, made)


def _name(name: str, theme: style.Theme) -> tables.Cell:
    return tables.Cell(name, name, colour=theme.colours[name])


def algebra(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Accuracy of every operation, one row per population, operation and density."""
    columns = (
        _NAME,
        tables.Column("operation", numeric=False),
        tables.Column("masks"),
        tables.Column("density", note="of the mask that the operation gives; matched: that of the members"),
        tables.Column("sets", note="draws of base weights, or pairs for the symmetric difference"),
        tables.Column("accuracy, %"),
        tables.Column("over the members, points", note="accuracy less the mean of the masks that went in"),
        tables.Column("chance level, %", note="always the most common class"),
    )
    made = [
        [
            _name(row.population, theme),
            tables.Cell(row.operation, row.operation, "" if row.operation == "members" else row.density_kind),
            tables.Cell(f"{row.masks:g}", row.masks),
            tables.Cell(numbers.fixed(row.density, 4), row.density),
            tables.Cell(f"{row.sets}", row.sets),
            _short(row.accuracy, row),
            _short(row.gain, row),
            tables.Cell(numbers.percent(row.chance, 1), 100.0 * row.chance),
        ]
        for row in analysis.results.algebra
    ]
    caption = (
        "Operations on the masks of one population over the same base weights, mean over sets. Brackets: "
        "95 % intervals, over draws of base weights where there are at least three, over masks for pairs."
    )
    return tables.Table(key, caption, columns, made)


def _short(found: records.Estimate, row: rows.Row) -> tables.Cell:
    """Percent or points with the decimals that the images carry."""
    return tables.brief(found, "undefined", 100.0, numbers.places(row.images))


def transfer(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Accuracy of masks on other base weights, one row per population and kind of weights."""
    columns = (
        _NAME,
        tables.Column("base weights", numeric=False),
        tables.Column("accuracy, %"),
        tables.Column("against their own, points", note="accuracy less that of the same masks at home"),
        tables.Column("chance level, %", note="always the most common class"),
        tables.Column("members"),
    )
    made = [
        [
            _name(row.population, theme),
            tables.Cell(weights := text.WEIGHTS.get(row.weights, row.weights), weights),
            _short(row.accuracy, row),
            _short(row.change, row),
            tables.Cell(numbers.percent(row.chance, 1), 100.0 * row.chance),
            tables.Cell(f"{row.members}", row.members),
        ]
        for row in analysis.results.transfer
    ]
    caption = "Masks on other base weights than their own. Brackets: 95 % intervals over members."
    return tables.Table(key, caption, columns, made)


def chains(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Barriers between successive masks, one row per population, path and link."""
    columns = (
        _NAME,
        tables.Column("path", numeric=False),
        tables.Column("epoch"),
        tables.Column("next", note="the final mask is the last one"),
        tables.Column("distance", note="Hamming, between the two masks"),
        tables.Column("accuracy, %", note="of the earlier mask, on test images"),
        tables.Column("error barrier, points", note="Entezari's; below it that on training images"),
        tables.Column(_OVER_IMAGES, note=_OVER_NOTE),
        tables.Column("loss barrier, nats", note="Entezari's; below it that on training images"),
        tables.Column("connected, %", note="share of the members whose error barrier is below the threshold"),
        tables.Column("members"),
    )
    found = analysis.results.chains
    train = {_link(row): row.barrier for row in found if row.split == "train"}
    made = []
    for row in found:
        if row.split != "test":
            continue
        beside, digits = train.get(_link(row)), numbers.places(row.images)
        made.append(
            [
                _name(row.population, theme),
                tables.Cell(row.path, row.path),
                tables.Cell(f"{row.epoch}", row.epoch),
                tables.Cell(f"{row.to}", row.to),
                tables.brief(row.hamming, "undefined", 1.0, 4),
                _short(row.accuracy, row),
                _beside(row.barrier.entezari_error, beside.entezari_error if beside else None, 100.0, digits),
                _images(row),
                _beside(row.barrier.entezari_loss, beside.entezari_loss if beside else None, 1.0, 3),
                tables.brief(row.connected, "undefined", 100.0, 0),
                tables.Cell(f"{row.members}", row.members),
            ]
        )
    caption = (
        "Barriers between successive masks of one training. Brackets: 95 % intervals over members, but for "
        "the column over images."
    )
    return tables.Table(key, caption, columns, made)


def _link(row: rows.Chain) -> tuple[str, str, int, int]:
    return (row.population, row.path, row.epoch, row.to)
