"""Tables as text and JSON."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from masklab.landscape.plan import Plan
    from masklab.landscape.walk import Walk

_NAMED = 5
"""Files that are named in a line."""

_WEIGHTS_UNKNOWN = {"none": ["base weights"], "kept": ["base weights where they are pruned"]}


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Aligned columns; those in `right` are flush right.

    Examples:
        >>> print(columns(["name", "n"], [["a", "12"], ["bcdef", "3"]], right=[1]))
        name    n
        a      12
        bcdef   3
    """
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = (
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
    return "\n".join(lines)


def landscape(plan: "Plan | None") -> str:
    """What a landscape takes, question by question, and a line for all of it."""
    if plan is None:
        return "landscape: nothing to evaluate (no members whose networks are known, or 0 pairs asked for)"
    rows = [
        [row["name"], f"{row['networks']:,}", f"{row['evaluations']:,}", f"{row['wanted']:,}"]
        for row in plan.work()["questions"]
    ]
    table = columns(["question", "networks", "evaluations", "without a limit"], rows, right=range(1, 4))
    images = ", ".join(f"{plan.context.images.number(split)} {split}" for split in plan.context.images.labels)
    return f"{table}\n{plan.text()}\non {images} images; {plan.context.device}, {plan.evaluator.engine}"


def walk(walked: "Walk") -> str:
    """Points of a path, and a line for each of its barriers."""
    points = columns(
        ["order", "split", "t", "accuracy", "loss"],
        [
            [
                str(row["order"]),
                row["split"],
                f"{row['t']:.3f}",
                _percent(row["accuracy"]),
                f"{row['loss']:.4f}",
            ]
            for row in walked.rows()
        ],
        right=[0, 2, 3, 4],
    )
    heights = columns(
        ["order", "split", "images", "Entezari error", "loss", "Frankle error", "loss"],
        [
            [
                str(row["order"]),
                row["split"],
                str(row["images"]),
                _percent(row["entezari_error"]),
                f"{row['entezari_loss']:.4f}",
                _percent(row["frankle_error"]),
                f"{row['frankle_loss']:.4f}",
            ]
            for row in walked.barriers()
        ],
        right=[0, *range(2, 7)],
    )
    lines = [points, "", heights]
    if walked.statistics == "re-estimate":
        lines += [
            f"{row['member']}, {row['split']}: {_percent(row['accuracy'])} % with re-estimated statistics, "
            f"{_percent(row['stored'])} % with its own"
            for row in walked.ends
        ]
    return "\n".join([*lines, f"path {walked.path}, rule {walked.rule}, statistics {walked.statistics}"])


def walk_json(walked: "Walk") -> str:
    """The same as JSON."""
    found = {"path": walked.path, "rule": walked.rule, "statistics": walked.statistics}
    return json.dumps(
        {**found, "points": walked.rows(), "barriers": walked.barriers(), "ends": walked.ends}, indent=1
    )


def as_json(shown: dict[str, Any]) -> str:
    """What `show` found, as JSON."""
    return json.dumps(shown, indent=1, ensure_ascii=False)


def as_text(shown: dict[str, Any]) -> str:
    """What `show` found, as two tables."""
    populations = columns(
        ["population", "density", "members", "stored", "failed", "accuracy", "sd", "events"],
        [
            [
                row["population"],
                f"{row['density']:g}",
                str(row["members"]),
                str(row["stored"]),
                str(row["failed"]),
                _percent(row["accuracy_mean"]),
                _percent(row["accuracy_sd"]),
                str(row["refresh_events"]),
            ]
            for row in shown["populations"]
        ],
        right=range(1, 8),
    )
    members = columns(
        ["member", "block", "accuracy", "best epoch", "accuracy there", "density", "events"],
        [
            [
                row["id"],
                str(row["block"]),
                _percent(row["accuracy"]),
                "–" if row["best_epoch"] is None else str(row["best_epoch"]),
                _percent(row["best_epoch_accuracy"]),
                f"{row['kept_density']:.4f}",
                str(row["refresh_events"]),
            ]
            for row in shown["members"]
        ],
        right=range(1, 7),
    )
    failed = [f"failed: {row['id']}: {row['cause']} (step {row['step']})" for row in shown["failures"]]
    what = "imported masks, network and data unknown"
    if shown["network"] is not None:
        what = f"{shown['network']} on {shown['data']}, test accuracy of the last epoch in percent"
    blocks = ["\n".join(lines) for lines in (failed, _imported(shown["populations"])) if lines]
    return "\n\n".join([f"{shown['study']}: {what}", populations, members, *blocks])


def _imported(populations: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every population that came from other tools: its source, and what is not known."""
    lines = []
    for row in populations:
        if (source := row["imported"]) is None:
            continue
        names = [described["name"] for described in source["files"]]
        files = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        unknown = ", ".join([*source["unknown"], *_WEIGHTS_UNKNOWN.get(source["weights"], [])])
        lines.append(f"imported: {row['population']}: {source['format']}, {files}; not known: {unknown}")
    return lines


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.2f}"


def pruners() -> str:
    """Every pruner with its options, then the rule and source of every part, from their files' docstrings."""
    from masklab import pruners as registry

    described = {name: registry.describe(name) for name in registry.names()}
    table = columns(
        ["pruner", "gate", "refresh", "control", "options"],
        [[name, *_kinds(parts), ", ".join(_options(parts)) or "–"] for name, parts in described.items()],
    )
    parts = {(part.kind, part.name): part for parts in described.values() for part in parts}
    blocks = [
        "\n".join(
            [
                f"{part.name} ({part.kind})",
                f"    {part.rule}",
                *(f"    {name}: {text}" for name, text in part.options.items()),
                f"    Source: {part.source}",
            ]
        )
        for part in parts.values()
    ]
    return "\n\n".join([table, *blocks])


def _kinds(parts: Sequence[Any]) -> list[str]:
    named = {part.kind: part.name for part in parts}
    return [named.get(kind, "–") for kind in ("gate", "refresh", "control")]


def _options(parts: Sequence[Any]) -> list[str]:
    return [name for part in parts for name in part.options]
