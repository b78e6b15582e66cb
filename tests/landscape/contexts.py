"""Stored studies, and what is ready for the landscape's questions."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from masklab import stages, study
from masklab.archive import Archive
from masklab.landscape import images as imaging
from masklab.landscape import plan, planning
from masklab.landscape import settings as settling
from masklab.landscape.context import Context
from masklab.landscape.ends import Ends
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.tasks import Outcome, Task, own_key


def trained(images: Path, out: Path, populations: list[dict[str, Any]], **tables: dict[str, Any]) -> Path:
    """A study of four epochs with two draws of base weights, trained; tables change it."""
    raw: dict[str, Any] = {
        "study": {"name": "tiny"},
        "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
        "network": {"name": "mlp", "width": 0.05},
        "training": {"epochs": 4, "batch_size": 16},
        "seeds": {"weights": 2},
        "population": [{"density": 0.5, "members": 6, **population} for population in populations],
    }
    for name, table in tables.items():
        raw[name] = {**raw.get(name, {}), **table}
    stages.train(study.build(raw), out, jobs=1, device="cpu", engine="vmap")
    return out


def of(out: Path, **settings: Any) -> tuple[Context, Evaluator]:
    """Context and evaluator of a study's directory, with settings replaced."""
    archive = Archive(out)
    asked = settling.of(archive.study).model_copy(update=settings)
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


def made(out: Path, **options: Any) -> plan.Plan:
    """Plan of a study's landscape on the CPU."""
    found = planning.make(Archive(out), plan.Options(device="cpu", **options))
    assert found is not None
    return found
