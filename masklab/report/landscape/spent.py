"""Table of what was spent on the landscape."""

from masklab.report import load, numbers, tables
from masklab.report.landscape import rows

_QUESTIONS = {
    "members": "members themselves",
    "paths": "paths between members",
    "neighbourhood": "neighbourhood",
    "algebra": "algebra",
    "transfer": "other base weights",
    "planes": "planes",
    "chains": "chains along training",
}


def work(analysis: load.Analysis, key: str) -> tables.Table:
    """What was spent on each question of the landscape."""
    columns = (
        tables.Column("question", numeric=False),
        tables.Column("networks"),
        tables.Column("evaluations", note="networks × images"),
        tables.Column(
            "without a limit", note="evaluations that the study's settings ask for where there is no budget"
        ),
    )
    spent = analysis.results.landscape_work
    if spent is None:
        return tables.Table(key, "", columns, [])
    parts = [(_QUESTIONS.get(own.name, own.name), own) for own in spent.questions]
    made = [_spent(said, own.networks, own.evaluations, own.wanted) for said, own in parts]
    wanted = sum(own.wanted for own in spent.questions)
    made.append(_spent("together", spent.networks, spent.evaluations, wanted))
    images = " and ".join(
        f"{number:,} of {spent.of_images[split]:,} {split} images" for split, number in spent.images.items()
    )
    caption = (
        f"What was evaluated of the landscape: budget {spent.budget:,} evaluations, {spent.source}; engine "
        f"{spent.engine}, device {spent.device}, {images}.{_members(spent)}"
    )
    return tables.Table(key, caption, columns, made)


def _members(spent: rows.Work) -> str:
    """Accuracy of members with stored and with re-estimated statistics, as a sentence with a space before."""
    digits = numbers.places(spent.images.get("test", 0))
    said = []
    for row in spent.members_accuracy:
        if row.stored is None or row.re_estimated is None:
            continue
        gap = numbers.percent(row.re_estimated - row.stored, digits)
        stored, again = (numbers.percent(value, digits) for value in (row.stored, row.re_estimated))
        members = numbers.count(row.members, "member")
        said.append(f"{row.population} {stored} → {again} % ({gap} points, {members})")
    if not said:
        return ""
    return (
        " Mean test accuracy of the members themselves, with the running statistics that are stored → with "
        f"re-estimated ones, as everywhere in the landscape: {'; '.join(said)}."
    )


def _spent(said: str, networks: int, evaluations: int, wanted: int) -> list[tables.Cell]:
    return [
        tables.Cell(said, said),
        tables.Cell(f"{networks:,}", networks),
        tables.Cell(f"{evaluations:,}", evaluations),
        tables.Cell(f"{wanted:,}", wanted),
    ]
