"""The landscape of a study: plan, evaluate, and what was found."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from masklab.analysis import jackknife
from masklab.archive import files
from masklab.landscape import members, questions
from masklab.landscape.context import Found, Row
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.journal import Journal
from masklab.landscape.plan import Plan
from masklab.landscape.tasks import Outcome, Task
from masklab.progress import Listener, Silent
from masklab.training import device as devices

STAGE = "landscape"

_LONG_S = 20.0
"""Seconds of evaluation after which outcomes are kept, though nothing but the answers is missing."""


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
    found.add(members.found(plan, outcomes))
    found.warnings += [*plan.warnings, *_starved(plan, found)]
    return found


def evaluate(plan: Plan, folder: files.Location | None, listener: Listener) -> dict[str, Outcome]:
    """Outcomes of all tasks, by key.

    Each piece is computed by one thread, whatever the number of threads: outcomes do not depend on it.
    """
    journal = None if folder is None else Journal(folder, plan.key)
    found: dict[str, Outcome] = {}
    for task in plan.all_tasks if journal else ():
        kept = journal.outcome(task, plan.context.images.labels) if journal else None
        if kept is not None:
            found[task.key] = kept
    costs = {task.key: plan.context.cost(task) for task in plan.all_tasks}
    done = sum(costs[key] for key in found)
    listener.begin(STAGE, sum(costs.values()))
    listener.advance(done)
    # whole pieces: what a network answers depends in its last digits on whom it shares a call with
    groups = [group if any(task.key not in found for task in group) else [] for group in plan.pieces]
    started = time.monotonic()
    try:
        with devices.prepared(plan.context.device, 1):
            for number, outcomes in evaluated(plan, [(at, own) for at, own in enumerate(groups) if own]):
                own = {task.key: outcome for task, outcome in zip(groups[number], outcomes, strict=True)}
                done += sum(costs[key] for key in own if key not in found)
                found |= own
                if journal:
                    journal.add(own)
                listener.advance(done)
    finally:
        listener.end()
        if journal and (len(found) < len(costs) or time.monotonic() - started > _LONG_S):
            journal.flush()
    return found


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


def _starved(plan: Plan, found: Found) -> list[Row]:
    """A warning where most cells have too few pairs for an interval, though there are more."""
    rows = [row for row in found.rows.get("landscape", []) if row["split"] == "test"]
    few = [row for row in rows if row["pairs"] < jackknife.LEAST_UNITS <= row["of_pairs"]]
    if 2 * len(few) <= len(rows):
        return []
    text = (
        f"{len(few)} of {len(rows)} cells of pairs have fewer than {jackknife.LEAST_UNITS} pairs, so that "
        f"barriers have no interval over masks; a --budget above {plan.budget:,} walks more"
    )
    return [{"code": "landscape-starved", "text": text, "where": "landscape"}]
