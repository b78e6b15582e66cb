"""What changed, in sentences."""

from collections.abc import Iterator, Sequence

from masklab.report import numbers, recipe
from masklab.report.compare import quantities
from masklab.report.compare.changes import Changes
from masklab.report.compare.document import Former, Warned


def paragraphs(changes: Changes) -> list[str]:
    """Everything but the numbers and the settings, which stand in tables."""
    return list(_paragraphs(changes))


def _paragraphs(changes: Changes) -> Iterator[str]:
    before, after = changes.before, changes.after
    if changes.renamed:
        yield f"The studies have different names: {before.study} before, {after.study} now."
    if changes.nothing:
        yield nothing(changes)
        return
    yield (
        f"Before: the analysis of {numbers.moment(before.created)}, {_members(before)}. Now: that of "
        f"{numbers.moment(after.created)}, {_members(after)}."
    )
    yield f"Settings that changed: {len(changes.settings)}." if changes.settings else "No setting changed."
    yield from _populations(changes)
    yield from _warnings(changes)
    yield _numbers(changes)


def nothing(changes: Changes) -> str:
    """That two analyses are equal, and in what."""
    found = numbers.count(len(changes.numbers), "number")
    warned = numbers.count(len(changes.after.warnings), "warning")
    same = changes.before.input is not None and changes.before.input == changes.after.input
    digest = " Both were made from the same files, by their digest." if same else ""
    return (
        f"Nothing changed: settings, {_members(changes.after)}, {found} and {warned} are those of the "
        f"analysis of {numbers.moment(changes.before.created)}.{digest}"
    )


def _members(own: Former) -> str:
    populations = numbers.count(len(own.populations), "population")
    return f"{numbers.count(len(own.members), 'member')} of {populations}"


def _populations(changes: Changes) -> Iterator[str]:
    if changes.added:
        yield f"Populations added: {recipe.listed(list(changes.added))}."
    if changes.removed:
        yield f"Populations removed: {recipe.listed(list(changes.removed))}."
    if changes.grown:
        grown = [f"{own.name} ({own.before} → {own.after})" for own in changes.grown]
        yield f"Populations with another number of stored members: {recipe.listed(grown)}."
    if changes.accuracies:
        yield (
            f"{numbers.count(len(changes.accuracies), 'member')} of the same id with another accuracy: "
            f"{recipe.listed(list(changes.accuracies))}."
        )


def _warnings(changes: Changes) -> Iterator[str]:
    if changes.came:
        yield f"Warnings that came: {_warned(changes.came)}."
    if changes.went:
        yield f"Warnings that went: {_warned(changes.went)}."


def _warned(found: Sequence[Warned]) -> str:
    return recipe.listed([f"{own.code} ({own.where})" if own.where else own.code for own in found])


def _numbers(changes: Changes) -> str:
    """How many numbers are as they were, and how many are not."""
    equal, overlap, apart = (
        changes.count(verdict) for verdict in (quantities.EQUAL, quantities.OVERLAP, quantities.APART)
    )
    shared, rest = len(changes.numbers), len(changes.numbers) - equal - overlap - apart
    said = [
        f"Of {numbers.count(shared, 'number')} in both, {equal:,} are equal, {overlap:,} differ within "
        f"overlapping intervals, {apart:,} have intervals apart"
        + (f", and {rest:,} cannot be compared by intervals." if rest else "."),
        f"{numbers.count(changes.new, 'number')} came, {changes.gone:,} went."
        if changes.new or changes.gone
        else "",
        "Intervals are compared as they stand: where both analyses have members in common, a difference is "
        "surer than they say."
        if apart or overlap
        else "",
    ]
    return " ".join(filter(None, said))
