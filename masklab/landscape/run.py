"""The landscape of a study: plan, evaluate, and what was found."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np

from masklab.archive import files
from masklab.landscape import questions
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.journal import Journal
from masklab.landscape.plan import Plan
from masklab.landscape.tasks import Outcome, Task, own_key
from masklab.progress import Listener, Silent
from masklab.training import device as devices

STAGE = "landscape"


def measure(plan: Plan, folder: files.Location | None = None, listener: Listener | None = None) -> Found:
    """Evaluate what is planned, and answer every question.

    Args:
        plan: What to evaluate.
        folder: Where outcomes are kept until the analysis is written; None: nowhere.
        listener: Told how many evaluations are done.

    Returns:
        Rows by key of `results.json` (`landscape_work` among them, as the only row), tables and arrays.

    Raises:
        ArchiveError: A member is damaged, or outcomes cannot be kept.
    """
    outcomes = evaluate(plan, folder, listener or Silent())
    found = Found()
    for name, tasks in plan.tasks.items():
        if name in questions.all_questions():
            found.add(questions.all_questions()[name].found(plan.context, tasks, outcomes))
    work = plan.work() | {"stored_predictions": _compared(plan.context, outcomes)}
    found.add(Found(rows={"landscape_work": [work]}))
    return found


def evaluate(plan: Plan, folder: files.Location | None, listener: Listener) -> dict[str, Outcome]:
    """Outcomes of all tasks, by key.

    Pieces are the same, and each is computed by one thread, whatever the number of threads: outcomes do not
    depend on it, nor on whether some were kept from an earlier run.
    """
    groups = plan.pieces
    journal = None if folder is None else Journal(folder, plan.key)
    labels = dict(plan.context.images.labels)
    found: dict[int, list[Outcome]] = {}
    for number, group in enumerate(groups):
        kept = journal.outcomes(number, group, labels) if journal else None
        if kept is not None:
            found[number] = kept
    costs = [sum(map(plan.context.cost, group)) for group in groups]
    done = sum(costs[number] for number in found)
    listener.begin(STAGE, sum(costs))
    listener.advance(done)
    try:
        missing = [(number, group) for number, group in enumerate(groups) if number not in found]
        with devices.prepared(plan.context.device, 1):
            for number, outcomes in evaluated(plan, missing):
                found[number] = outcomes
                if journal:
                    journal.add(number, outcomes)
                done += costs[number]
                listener.advance(done)
    finally:
        listener.end()
        if journal and len(found) < len(groups):
            journal.flush()
    return {
        task.key: outcome
        for number, group in enumerate(groups)
        for task, outcome in zip(group, found[number], strict=True)
    }


def evaluated(plan: Plan, missing: list[tuple[int, list[Task]]]) -> Iterator[tuple[int, list[Outcome]]]:
    """Outcomes of numbered pieces, as they become ready, several side by side on a CPU."""
    threads = plan.options.threads if plan.context.device == "cpu" else 1
    if threads <= 1 or len(missing) <= 1:
        yield from ((number, plan.evaluator.run(group)) for number, group in missing)
        return
    local = threading.local()

    def run(number: int, group: list[Task]) -> tuple[int, list[Outcome]]:
        if not hasattr(local, "evaluator"):
            local.evaluator = plan.evaluator.twin()
        evaluator: Evaluator = local.evaluator
        return number, evaluator.run(group)

    waiting: set[Future[tuple[int, list[Outcome]]]] = set()
    rest = iter(missing)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for number, group in rest:
                waiting.add(pool.submit(run, number, group))
                if len(waiting) < 2 * threads:
                    continue
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ready)
            while waiting:
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ready)
        finally:
            for future in waiting:
                future.cancel()


def _compared(context: Context, outcomes: Mapping[str, Outcome]) -> Row:
    """How often members answer otherwise here than their files say: batched arithmetic rounds otherwise.

    With their stored running statistics; `stored_predictions` of `landscape_work`.
    """
    places, differing, members = context.images.chosen["test"], 0, 0
    for own in context.blocks:
        outcome = outcomes.get(own_key(own, stored=context.statistics == "re-estimate"))
        if outcome is not None:
            members += 1
            stored = context.archive.member(own).prediction()[places]
            differing += int(np.count_nonzero(outcome.classes["test"][0] != stored))
    return {"members": members, "images": members * len(places), "differing": differing}
