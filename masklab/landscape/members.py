"""The members themselves: as the landscape evaluates them, and as their files say."""

from collections.abc import Mapping

import numpy as np

from masklab.landscape.context import Context, Found, Row
from masklab.landscape.plan import Plan
from masklab.landscape.tasks import Outcome, own_key

NOTABLE = 0.02
"""Gap between accuracies with stored and with re-estimated running statistics that is worth a warning."""


def found(plan: Plan, outcomes: Mapping[str, Outcome]) -> Found:
    """`landscape_work`, its only row, and the table `ends`: accuracy of each member that was evaluated.

    Where running statistics are re-estimated, both values stand there: `accuracy` with re-estimated ones, as
    everywhere in the landscape, and `stored` with those of the member's file.

    Args:
        plan: What was evaluated.
        outcomes: Of all tasks.
    """
    rows = _rows(plan.context, outcomes)
    again = plan.context.statistics == "re-estimate"
    means = _means(rows) if again else []
    work = plan.work() | {
        "stored_predictions": _compared(plan.context, outcomes),
        "members_accuracy": means,
    }
    far = [row for row in means if abs(row["re_estimated"] - row["stored"]) > NOTABLE]
    return Found(rows={"landscape_work": [work]}, tables={"ends": rows}, warnings=_warning(far))


def _rows(context: Context, outcomes: Mapping[str, Outcome]) -> list[Row]:
    rows = []
    for own in context.blocks:
        outcome = outcomes.get(own_key(own))
        stored = outcomes.get(own_key(own, stored=True), outcome)
        if outcome is None or stored is None:
            continue
        rows += [
            {
                "member": own,
                "population": own.rpartition("/")[0],
                "split": split,
                "images": len(outcome.labels[split]),
                "accuracy": float(outcome.accuracy(split)[0]),
                "stored": float(stored.accuracy(split)[0]),
            }
            for split in outcome.labels
        ]
    return rows


def _means(rows: list[Row]) -> list[Row]:
    """Mean test accuracies of each population with stored and with re-estimated statistics."""
    found = []
    for name in dict.fromkeys(row["population"] for row in rows):
        own = [row for row in rows if row["population"] == name and row["split"] == "test"]
        stored, again = (float(np.mean([row[key] for row in own])) for key in ("stored", "accuracy"))
        found.append({"population": name, "members": len(own), "stored": stored, "re_estimated": again})
    return found


def _warning(far: list[Row]) -> list[Row]:
    if not far:
        return []
    gaps = ", ".join(
        f"{row['population']} {100 * row['stored']:.1f} % → {100 * row['re_estimated']:.1f} %" for row in far
    )
    text = (
        "with running statistics re-estimated, as all networks of the landscape have them, members are not "
        f"as accurate as with those of their files: {gaps}; with `analysis.batchnorm_statistics` = keep they "
        "keep theirs"
    )
    return [{"code": "reestimated-statistics", "text": text, "where": "landscape"}]


def _compared(context: Context, outcomes: Mapping[str, Outcome]) -> Row:
    """How often members answer otherwise here than their files say: batched arithmetic rounds otherwise.

    With their stored running statistics.
    """
    places, differing, members = context.images.chosen["test"], 0, 0
    for own in context.blocks:
        outcome = outcomes.get(own_key(own, stored=context.statistics == "re-estimate"))
        if outcome is not None:
            members += 1
            stored = context.archive.member(own).prediction()[places]
            differing += int(np.count_nonzero(outcome.classes["test"][0] != stored))
    return {"members": members, "images": members * len(places), "differing": differing}
