"""One path between two members, of one study or of two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from masklab import seeds
from masklab.archive import Archive, Member
from masklab.errors import ConfigError, unknown
from masklab.landscape import barriers, paths, settings
from masklab.landscape import images as imaging
from masklab.landscape.ends import Ends, State
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.tasks import Outcome, Task
from masklab.training import device as devices

Row = dict[str, Any]
Place = tuple[Archive, str]
"""A study and the id of one of its members."""

_MOST_POINTS = 1001
_MOST_ORDERS = 1000


@dataclass(frozen=True, eq=False)
class Walk:
    """What was measured.

    Attributes:
        path: Name of the path.
        rule: What stands between the members (see `masklab.landscape.paths.Rule`).
        statistics: `"none"`, `"keep"` or `"re-estimate"`: treatment of running statistics.
        t: Positions, 0 … 1.
        outcomes: One for each order of a random path.
        ends: Of each end `{member, split, accuracy, stored}`: with running statistics as on the path, and
            with those of its file.
    """

    path: str
    rule: str
    statistics: str
    t: np.ndarray
    outcomes: Sequence[Outcome]
    ends: Sequence[Row]

    def rows(self) -> list[Row]:
        """Points: `{order, split, t, accuracy, loss}`."""
        return [
            {"order": order, "split": split, "t": t, "accuracy": float(accuracy), "loss": float(loss)}
            for order, outcome in enumerate(self.outcomes)
            for split in outcome.labels
            for t, accuracy, loss in zip(
                self.t.tolist(), outcome.accuracy(split), outcome.loss(split), strict=True
            )
        ]

    def barriers(self) -> list[Row]:
        """Barriers: `{order, split, images, entezari_error, entezari_loss, frankle_error, frankle_loss}`."""
        found = []
        for order, outcome in enumerate(self.outcomes):
            for split in outcome.labels:
                error, loss = 1.0 - outcome.accuracy(split), outcome.loss(split)
                found.append(
                    {
                        "order": order,
                        "split": split,
                        "images": len(outcome.labels[split]),
                        "entezari_error": float(barriers.entezari(error, self.t)),
                        "entezari_loss": float(barriers.entezari(loss, self.t)),
                        "frankle_error": float(barriers.frankle(error)),
                        "frankle_loss": float(barriers.frankle(loss)),
                    }
                )
        return found


@dataclass(frozen=True, eq=False)
class Prepared:
    """A path that can be walked.

    Attributes:
        names: What the members are called.
        path: Name of the path.
        rule: See `Walk`.
        t: Positions, 0 … 1.
        tasks: One for each order of a random path.
        ends: The members.
        evaluator: What evaluates.
        device: Where.
        statistics: See `Walk`.
    """

    names: tuple[str, str]
    path: str
    rule: str
    t: np.ndarray
    tasks: Sequence[Task]
    ends: Ends
    evaluator: Evaluator
    device: str
    statistics: str

    @property
    def themselves(self) -> list[tuple[str, Task]]:
        """Each end with running statistics as on the path, and with those of its file."""
        return [(own, self._alone(own, stored)) for own in self.names for stored in (False, True)]

    def _alone(self, own: str, stored: bool) -> Task:
        return Task(own, 1, lambda _: self.ends.of(own).state, stored=stored)


class _Both:
    """The two members, where a study's members are looked up."""

    def __init__(self, study: Mapping[str, Any], members: Mapping[str, Member]) -> None:
        self._study, self._members = study, members

    @property
    def study(self) -> Mapping[str, Any]:
        """The first one's study."""
        return self._study

    def member(self, member_id: str) -> Member:
        """The member under a name."""
        return self._members[member_id]


def walk(
    first: Place,
    last: Place,
    path: str = "linear",
    *,
    points: int = 11,
    orders: int = 1,
    device: str = "cpu",
) -> Walk:
    """Evaluate a path between two members on the images of the first one's study, ends included.

    Args:
        first: See `prepare`.
        last: See `prepare`.
        path: See `prepare`.
        points: See `prepare`.
        orders: See `prepare`.
        device: See `prepare`.

    Raises:
        ArchiveError: See `prepare`.
        ConfigError: See `prepare`.
        DataError: See `prepare`.
    """
    way = prepare(first, last, path, points=points, orders=orders, device=device)
    with devices.prepared(way.device, torch.get_num_threads()):
        outcomes = [outcome for task in way.tasks for outcome in way.evaluator.run([task])]
        ends = [(own, way.evaluator.run([task])[0]) for own, task in way.themselves]
    themselves = [
        {
            "member": own,
            "split": split,
            "accuracy": float(outcome.accuracy(split)[0]),
            "stored": float(kept.accuracy(split)[0]),
        }
        for (own, outcome), (_, kept) in zip(ends[::2], ends[1::2], strict=True)
        for split in kept.labels
    ]
    return Walk(path, way.rule, way.statistics, way.t, outcomes, themselves)


def prepare(
    first: Place,
    last: Place,
    path: str = "linear",
    *,
    points: int = 11,
    orders: int = 1,
    device: str = "cpu",
) -> Prepared:
    """Check that a path can be walked, and read what it takes.

    Args:
        first: Where the path begins.
        last: Where it ends; its study may be another one of the same network and data.
        path: A name in `masklab.landscape.paths`.
        points: Points on the path, ends included.
        orders: Random orders (or draws), where the path is random.
        device: `"cpu"`, `"cuda"` or `"auto"`.

    Raises:
        ArchiveError: A member is missing or damaged.
        ConfigError: The path is unknown, or not possible between these members.
        DataError: The data set is missing, or not the one that the first member was trained on.
    """
    for name, value, least, most in (
        ("points", points, 3, _MOST_POINTS),
        ("orders", orders, 1, _MOST_ORDERS),
    ):
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value}; allowed: {least} to {most}")
    if path not in settings.path_names():
        raise ConfigError(unknown("path", path, settings.path_names()))
    names = _names(first, last)
    members = [archive.member(own) for archive, own in (first, last)]
    _require_alike(*members)
    study, device = first[0].study, devices.resolve(device)
    chosen, way = settings.of(study), paths.all_paths()[path]
    ends = Ends(_Both(study, dict(zip(names, members, strict=True))), device)
    if why := way.why_not(ends, *names):
        raise ConfigError(f"path {path!r}: {why}")
    has, again = bool(study["network"]["buffers"]), chosen.batchnorm_statistics == "re-estimate"
    batches = chosen.batchnorm_batches if has and again else 0
    images = imaging.load(first[0], chosen.landscape_images, batches, device)
    evaluator = Evaluator(first[0], images, device=device, reestimate=again)
    t = np.linspace(0.0, 1.0, points)
    tasks = [_task(ends, names, path, t, order) for order in range(orders if way.RANDOM else 1)]
    statistics = chosen.batchnorm_statistics if has else "none"
    return Prepared(names, path, way.rule(ends, *names), t, tasks, ends, evaluator, device, statistics)


def _task(ends: Ends, names: tuple[str, str], path: str, t: np.ndarray, order: int) -> Task:
    way, seed = paths.all_paths()[path], ends.archive.study["seeds"]["study"]

    def random() -> np.random.RandomState:
        return seeds.stream(seed, "split", layer=f"landscape/walk/{path}/{order}/{names[0]}/{names[1]}")

    def build(positions: Sequence[int]) -> State:
        at = torch.from_numpy(t[list(positions)]).float().to(ends.device)
        return way.states(ends, ends.of(names[0]), ends.of(names[1]), at, random if way.RANDOM else None)

    return Task(f"walk/{order}", len(t), build)


def _names(first: Place, last: Place) -> tuple[str, str]:
    """What the two are called; members of two studies may have one id."""
    if first[0].directory == last[0].directory:
        if first[1] == last[1]:
            raise ConfigError(f"a path leads between two members; {first[1]} was named twice")
        return first[1], last[1]
    return f"{first[0].directory}:{first[1]}", f"{last[0].directory}:{last[1]}"


def _require_alike(first: Member, last: Member) -> None:
    """Refuse members of different networks or data.

    Raises:
        ConfigError: They are; with the first difference.
    """
    mine, theirs = ({layer.name: layer.shape for layer in member.layers} for member in (first, last))
    where = f"{first.path} and {last.path}"
    if not mine.keys() & theirs.keys():
        raise ConfigError(
            f"{where} have no common layers: {', '.join(mine)} and {', '.join(theirs)}; a path needs one "
            "network"
        )
    for name in [*mine, *theirs]:
        if mine.get(name) != theirs.get(name):
            raise ConfigError(
                f"{where} are of different networks: layer {name!r} has shape {mine.get(name)} in the first "
                f"and {theirs.get(name)} in the second"
            )
    for member in (first, last):
        if "imported" in member.facts:
            raise ConfigError(f"{member.path} was imported: no network is known to have its weights")
    for field in ("activation", "name", "width", "input_shape", "classes"):
        if first.facts["network"][field] != last.facts["network"][field]:
            raise ConfigError(
                f"{where} are of different networks: {field} is {first.facts['network'][field]!r} and "
                f"{last.facts['network'][field]!r}"
            )
    if first.facts["data"]["digest"] != last.facts["data"]["digest"]:
        raise ConfigError(f"{where} were trained on different data")
