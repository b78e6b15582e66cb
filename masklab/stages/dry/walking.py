"""What walking a path would evaluate."""

from dataclasses import dataclass
from typing import Any

from masklab.archive import Archive, files, looking


@dataclass(frozen=True)
class Way:
    """What walking a path would evaluate.

    Attributes:
        path: Name of the path.
        names: The members at its ends.
        networks: Networks on it, all orders together, and those of the ends alone.
        images: Split → images that each is evaluated on.
        statistics_images: Images from which each takes running statistics.
        evaluations: Networks × images.
        device: Where.
    """

    path: str
    names: tuple[str, str]
    networks: int
    images: dict[str, int]
    statistics_images: int
    evaluations: int
    device: str


@looking.only()
def walk(first: files.Location, member: str, last: files.Location, other: str, **options: Any) -> Way:
    """What `stages.walk` would evaluate.

    Args:
        first: See `stages.walk`.
        member: See `stages.walk`.
        last: See `stages.walk`.
        other: See `stages.walk`.
        options: See `stages.walk`.

    Raises:
        ArchiveError: See `masklab.landscape.walk.walk`.
        ConfigError: See `masklab.landscape.walk.walk`.
        DataError: See `masklab.landscape.walk.walk`.
    """
    from masklab.landscape import walk as walking

    mine = Archive(first)
    theirs = mine if last == first else Archive(last)
    way = walking.prepare((mine, member), (theirs, other), **options)
    tasks = [*way.tasks, *(task for _, task in way.themselves)]
    images = way.evaluator.images
    return Way(
        path=way.path,
        names=way.names,
        networks=sum(task.networks for task in tasks),
        images={split: images.number(split) for split in images.labels},
        statistics_images=sum(map(len, images.statistics)) if way.evaluator.reestimates else 0,
        evaluations=sum(map(way.evaluator.cost, tasks)),
        device=way.device,
    )
