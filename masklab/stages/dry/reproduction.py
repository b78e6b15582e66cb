"""What training a member again would take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from masklab import pruners
from masklab.archive import Member, directory, files, looking
from masklab.training import counts
from masklab.training import plan as plans


@dataclass(frozen=True)
class Repetition:
    """What training a member again would take.

    Attributes:
        member: Its id.
        indices: Members that are trained together with it, itself included.
        epochs: Passes over the training images; 0 where nothing is trained.
        steps: Steps of all of them.
        settled: Engine, precision, device … as its file says.
        seconds: Time of the steps, as the directory's plan measured them; None where it did not.
    """

    member: str
    indices: list[int]
    epochs: int
    steps: int
    settled: Mapping[str, Any]
    seconds: float | None


@looking.only()
def reproduce(out: files.Location, member: str) -> Repetition:
    """What `stages.reproduce` would do.

    Args:
        out: See `stages.reproduce`.
        member: See `stages.reproduce`.

    Raises:
        ArchiveError: See `masklab.training.reproduce.reproduce`.
        ConfigError: See `masklab.training.reproduce.reproduce`.
        DataError: See `masklab.training.reproduce.reproduce`.
    """
    from masklab.training import reproduce as reproduction

    _, stored, data = reproduction.checked(out, member)
    facts, together = stored.facts, reproduction.trained_together(stored)
    images, training = len(data.train_labels), facts["training"]
    left = images - counts.validation_count(images, facts["data"]["validation_fraction"])
    epochs = training["epochs"] if _trained(stored) else 0
    steps = len(together) * epochs * counts.steps_per_epoch(left, training["batch_size"])
    settled = {field: facts["cohort"][field] for field in plans.SETTLED}
    return Repetition(member, together, epochs, steps, settled, _seconds(out, settled, steps))


def _trained(member: Member) -> bool:
    facts = member.facts
    epochs = facts["training"]["epochs"]
    return pruners.resolve(facts["pruner"], facts["options"], epochs, facts["gate"]).trained


def _seconds(out: files.Location, settled: Mapping[str, Any], steps: int) -> float | None:
    if not steps:
        return 0.0
    if not files.exists(out / directory.PLAN):
        return None
    plan = plans.checked(out / directory.PLAN)
    each = plan["measured"].get("seconds", {}).get(settled["engine"])
    return None if each is None or plan["device"] != settled["device"] else steps * each
