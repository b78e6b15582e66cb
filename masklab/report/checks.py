"""What holds between the parts of `results.json`: names of populations and members, epochs, lengths."""

from collections.abc import Iterator

from masklab.archive import files
from masklab.errors import ArchiveError
from masklab.report import models


def check(path: files.Location, results: models.Results) -> None:
    """Look for what contradicts itself.

    Args:
        path: Where the results were read, for the message.
        results: What was read.

    Raises:
        ArchiveError: A row names what the study does not have, or does not hold together.
    """
    known = {population.name for population in results.populations}
    for where, name in _populations(results):
        if name not in known:
            raise ArchiveError(
                f"{path}: {where} names the population {name!r}, which the study does not have"
            )
    stored = {member.id for member in results.members}
    for where, member in _members(results):
        if member not in stored:
            raise ArchiveError(f"{path}: {where} {member!r}, which is no stored member")
    compared = {population.name for population in results.populations if population.compared}
    for row in results.overlap:
        if not compared.issuperset((row.a, row.b)):
            raise ArchiveError(
                f"{path}: overlap {row.a} – {row.b} compares a population that the study sets outside every "
                "overlap"
            )
    for what, rows in (("movement", results.movement), ("a chain", results.chains)):
        for row in rows:
            if row.to < row.epoch:
                raise ArchiveError(
                    f"{path}: {what} of {row.population} goes back from epoch {row.epoch} to {row.to}"
                )
    for row in results.consensus:
        if not 0 <= row.kept_by <= row.of:
            raise ArchiveError(
                f"{path}: consensus of {row.population} counts weights that {row.kept_by} of {row.of} masks "
                "keep"
            )
    _landscape(path, results)


def _landscape(path: files.Location, results: models.Results) -> None:
    for row in results.landscape:
        lengths = {
            len(values) for values in (row.points, row.accuracy.mean, row.accuracy.low, row.accuracy.high)
        }
        if len(lengths) > 1:
            raise ArchiveError(f"{path}: landscape {row.a} – {row.b}: points and accuracies differ in number")
    known = {population.name for population in results.populations}
    for row in results.landscape_work.members_accuracy if results.landscape_work else []:
        if row.population not in known:
            raise ArchiveError(
                f"{path}: landscape_work.members_accuracy names the population {row.population!r}, which the "
                "study does not have"
            )
    for row in results.neighbourhood:
        if row.share <= 0.0:
            raise ArchiveError(
                f"{path}: neighbourhood of {row.population}: a share of {row.share} is flipped"
            )
    for row in results.planes:
        if len(row.x) < 2 or len(row.y) < 2 or sorted(set(row.x)) != row.x or sorted(set(row.y)) != row.y:
            raise ArchiveError(f"{path}: {row.array}: x and y are not ascending positions, two at the least")


def _populations(results: models.Results) -> Iterator[tuple[str, str]]:
    """Every list with every population that it names."""
    for key in (
        "members",
        "accuracy",
        "stability",
        "spread",
        "consensus",
        "structure",
        "ensembles",
        "diversity",
        "rarefaction",
        "movement",
        "settling",
        "chains",
        "neighbourhood",
        "algebra",
        "transfer",
        "planes",
    ):
        yield from ((key, row.population) for row in getattr(results, key))
    for key in ("overlap", "function", "tests", "landscape"):
        for row in getattr(results, key):
            yield from ((key, name) for name in (row.a, row.b) if name is not None)


def _members(results: models.Results) -> Iterator[tuple[str, str]]:
    """What is said of members, with every member that is named."""
    for row in results.embeddings:
        yield from ((f"embedding {row.method} places", point.id) for point in row.points)
        twins = row.twin.points if row.twin else []
        yield from ((f"the twin of embedding {row.method} places", point.id) for point in twins)
    for row in results.scatter:
        yield from (("scatter names", member) for member in (row.id_a, row.id_b))
    for row in results.planes:
        corners = [corner.id for corner in row.at]
        yield from ((f"{row.array} is through", member) for member in [*row.members, *corners])
