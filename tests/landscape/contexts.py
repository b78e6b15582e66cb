"""A stored study, ready for the landscape's questions."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from masklab.archive import Archive
from masklab.landscape import images as imaging
from masklab.landscape import settings as settling
from masklab.landscape.context import Context
from masklab.landscape.ends import Ends
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.tasks import Outcome, Task, own_key


def of(out: Path, **settings: Any) -> tuple[Context, Evaluator]:
    """Context and evaluator of a study's directory, with settings replaced."""
    archive = Archive(out)
    asked = settling.Settings(**{**settling.of(archive.study).__dict__, **settings})
    has = bool(archive.study["network"]["buffers"])
    reestimate = asked.batchnorm_statistics == "re-estimate"
    batches = asked.batchnorm_batches if has and reestimate else 0
    pixels = imaging.load(archive, asked.landscape_images, batches, "cpu")
    evaluator = Evaluator(archive, pixels, device="cpu", reestimate=reestimate)
    statistics = "none" if not has else asked.batchnorm_statistics
    return Context(archive, asked, Ends(archive, "cpu"), pixels, "cpu", statistics, evaluator.cost), evaluator


def own(context: Context, member: str, *, stored: bool = False) -> Task:
    """The task that is a member itself."""
    return Task(own_key(member, stored=stored), 1, lambda _: context.ends.of(member).state, stored=stored)


def outcomes(context: Context, evaluator: Evaluator, tasks: Iterable[Task]) -> dict[str, Outcome]:
    """Outcomes of tasks and of the members that they name, by key."""
    tasks = list(tasks)
    named = dict.fromkeys(member for task in tasks for member in task.members)
    all_tasks = [*tasks, *(own(context, member) for member in named)]
    if evaluator.reestimates:
        all_tasks += [own(context, member, stored=True) for member in named]
    return {task.key: evaluator.run([task])[0] for task in all_tasks}
