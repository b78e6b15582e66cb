"""Some pieces of a landscape: those of a shard, or of a task of a worker; only the outcomes are kept."""

from collections.abc import Sequence

from masklab import data as datasets
from masklab import stopping
from masklab.archive import Archive, directory, files
from masklab.errors import MasklabError
from masklab.landscape import budget as budgets
from masklab.landscape import planning, run
from masklab.landscape.journal import FOLDER, Journal
from masklab.landscape.plan import Options, Plan
from masklab.progress import Listener, Silent
from masklab.training import device as devices

_TASK_S = 20.0
"""Seconds of evaluation that a task has at most, as far as pieces allow."""

_TASKS_PER_WORKER = 4

_held: dict[tuple[str, str], Plan] = {}
"""The plan that this process worked on last."""


def missing(plan: Plan, folder: files.Location) -> list[int]:
    """Numbers of the pieces of which not all outcomes are kept."""
    journal, labels = Journal(folder, plan.key), plan.context.images.labels
    return [
        number
        for number, piece in enumerate(plan.pieces)
        if any(journal.outcome(task, labels) is None for task in piece)
    ]


def cost(plan: Plan, numbers: Sequence[int]) -> int:
    """Evaluations that some pieces take."""
    return sum(plan.context.cost(task) for number in numbers for task in plan.pieces[number])


def keep(plan: Plan, journal: Journal, numbers: Sequence[int], listener: Listener) -> None:
    """Evaluate some pieces and keep their outcomes, also when that is interrupted.

    Args:
        plan: What they are of.
        journal: Where outcomes go.
        numbers: Which pieces.
        listener: Told how many evaluations are done.

    Raises:
        ArchiveError: A member is damaged, or outcomes cannot be kept.
        Stopped: This process was asked to stop.
    """
    done = 0
    listener.begin(run.STAGE, cost(plan, numbers))
    try:
        with devices.prepared(plan.context.device, 1):
            for number, outcomes in run.evaluated(plan, [(own, plan.pieces[own]) for own in numbers]):
                tasks = plan.pieces[number]
                journal.add({task.key: own for task, own in zip(tasks, outcomes, strict=True)})
                done += cost(plan, [number])
                listener.advance(done)
                stopping.raise_if_asked()
    finally:
        listener.end()
        journal.flush()


def request(plan: Plan) -> Options:
    """What makes a plan again, wherever its study's directory can be read."""
    budget = budgets.Budget(evaluations=plan.budget)
    return Options(budget, plan.options.paths, plan.context.device)


def grouped(plan: Plan, numbers: Sequence[int], slots: int) -> list[list[int]]:
    """Pieces in tasks of about equal cost.

    Args:
        plan: What they are of.
        numbers: Which pieces.
        slots: Tasks that workers take side by side.
    """
    costs = [cost(plan, [number]) for number in numbers]
    speed = plan.rate / (plan.options.threads if plan.context.device == "cpu" else 1)
    tasks = max(_TASKS_PER_WORKER * slots, sum(costs) / (speed * _TASK_S))
    groups: dict[int, list[int]] = {}
    before = 0
    for number, own in zip(numbers, costs, strict=True):
        groups.setdefault(int(tasks * before / sum(costs)), []).append(number)
        before += own
    return list(groups.values())


def task(
    out: files.Location, data: datasets.Data, options: Options, key: str, numbers: Sequence[int]
) -> None:
    """Evaluate some pieces on a worker, unless their outcomes are kept.

    Args:
        out: The study's directory.
        data: Its data set: workers need not have its files.
        options: See `request`.
        key: Of the plan, as the process that asks knows it.
        numbers: Which pieces.

    Raises:
        ArchiveError: A member is damaged, or outcomes cannot be kept.
        MasklabError: The plan is another one here.
        Stopped: This process was asked to stop.
    """
    plan = _plan(out, data, options, key)
    tasks = [own for number in numbers for own in plan.pieces[number]]
    journal = Journal(out / directory.ANALYSIS / FOLDER, key, [own.key for own in tasks])
    if any(journal.outcome(own, plan.context.images.labels) is None for own in tasks):
        keep(plan, journal, numbers, Silent())


def _plan(out: files.Location, data: datasets.Data, options: Options, key: str) -> Plan:
    own = (str(out), key)
    if own not in _held:
        made = planning.make(Archive(out), options, data=data)
        if made is None or made.key != key:
            raise MasklabError(
                f"a worker plans another landscape of {out} than the process that asks it: it sees other "
                "members, or has another version of torch or a GPU of another size"
            )
        _held.clear()
        _held[own] = made
    return _held[own]
