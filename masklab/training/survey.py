"""What a study's directory holds, and what is left to train."""

from dataclasses import dataclass, field
from typing import Any

from masklab.archive import Member, directory, files, member
from masklab.errors import ArchiveError
from masklab.study import Study
from masklab.training import plan as plans
from masklab.training import record as records
from masklab.training import shards


@dataclass
class Outcome:
    """What one call of `train` did.

    Attributes:
        written: Ids of the members trained now.
        present: Number of members that were already there.
        failed: Ids of members whose training failed, now or before.
        lost: Why a cohort could not be trained → ids of its members; the same command tries again.
    """

    written: list[str] = field(default_factory=list)
    present: int = 0
    failed: list[str] = field(default_factory=list)
    lost: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Work:
    """What a directory holds and what is left to do; `mine` are members of the part that was asked for."""

    stored: dict[str, Any] | None
    record: dict[str, Any]
    plan: dict[str, Any]
    stock: directory.Stock
    outcome: Outcome
    pending: list[dict[str, Any]]
    mine: set[str]

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to train and nothing to write down."""
        if self.stored is None or self.pending:
            return False
        return {**self.stored, "provenance": None} == {**self.record, "provenance": None}


def survey(
    study: Study,
    out: files.Location,
    record: dict[str, Any],
    wishes: plans.Wishes,
    retry_failed: bool,
    measure: plans.Measure,
    shard: shards.Shard = shards.WHOLE,
) -> Work:
    """Look at a directory, whose lock is held.

    Args:
        study: What is asked for.
        out: The study's directory.
        record: The study as it would be stored.
        wishes: What the user wants of the plan.
        retry_failed: Whether failures on record are forgotten.
        measure: Measures what a new plan needs.
        shard: Which part of the cohorts is asked for.

    Raises:
        ConfigError: The study or the wishes do not fit the directory.
        ArchiveError: A stored file is damaged or another study's.
    """
    stored = directory.read_study(out) if files.exists(out / directory.STUDY) else None
    merged = record if stored is None else records.grow(stored, record)
    stock = directory.Stock(out)
    outcome = _take_stock(study, out, stock, merged)
    plan = plans.read_or_make(out, merged, wishes, measure)
    cohorts = shards.own(plan, merged, shard)
    own = [cohort for cohort in plan["cohorts"] if cohort["id"] in cohorts]
    mine = {member.member_id(cohort["population"], index) for cohort in own for index in cohort["indices"]}
    outcome.failed = [name for name in outcome.failed if name in mine]
    outcome.present = _present(study, stock, mine)
    if retry_failed and outcome.failed:  # forgotten once, however many processes try again
        for population, _, index in (failed.rpartition("/") for failed in outcome.failed):
            files.remove(directory.failure_path(out, population, int(index)))
        stock, outcome.failed = directory.Stock(out), []
    left = pending(study, stock, own, outcome)
    return Work(stored, merged, plan, stock, outcome, left, mine)


def finished(stock: directory.Stock, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Cohorts of a plan whose members are all stored, or known to fail."""
    return [
        cohort
        for cohort in plan["cohorts"]
        if all(
            stock.member(cohort["population"], index) or stock.failure(cohort["population"], index)
            for index in cohort["indices"]
        )
    ]


def _take_stock(study: Study, out: files.Location, stock: directory.Stock, record: dict[str, Any]) -> Outcome:
    """Check the headers of stored members and list failures.

    Raises:
        ArchiveError: A stored file is damaged or another study's.
    """
    outcome = Outcome()
    digests = {population["name"]: population["digest"] for population in record["populations"]}
    for population in study.population:
        for index in range(population.members):
            if stock.member(population.name, index):
                path = directory.member_path(out, population.name, index)
                try:
                    facts = Member(path).facts
                except ArchiveError as error:
                    raise ArchiveError(f"{error}; remove the file to train this member again") from error
                if facts.get("population_digest") != digests[population.name]:
                    raise ArchiveError(
                        f"{path} was trained under another recipe; remove it to train it again"
                    )
                outcome.present += 1
            elif stock.failure(population.name, index):
                outcome.failed.append(member.member_id(population.name, index))
    return outcome


def pending(
    study: Study, stock: directory.Stock, cohorts: list[dict[str, Any]], outcome: Outcome
) -> list[dict[str, Any]]:
    """Cohorts of this study's populations with a member that is neither stored nor known to fail."""
    failed = set(outcome.failed)
    asked = {population.name: population.members for population in study.population}
    return [
        cohort
        for cohort in cohorts
        if any(
            index < asked.get(cohort["population"], 0)
            and not stock.member(cohort["population"], index)
            and member.member_id(cohort["population"], index) not in failed
            for index in cohort["indices"]
        )
    ]


def rounds(work: Work) -> list[list[dict[str, Any]]]:
    """Pending cohorts in rounds: populations that are made from others come after them."""
    made = {p["name"] for p in work.record["populations"] if p["options"].get("of") is not None}
    rounds = [[c for c in work.pending if (c["population"] in made) is later] for later in (False, True)]
    return [cohorts for cohorts in rounds if cohorts]


def count(study: Study, stock: directory.Stock, work: Work) -> None:
    """Count what is there now, whoever trained it."""
    outcome = work.outcome
    asked = [(own.name, index) for own in study.population for index in range(own.members)]
    outcome.present = _present(study, stock, work.mine) - len(outcome.written)
    failed = [own for own in asked if stock.failure(*own) and not stock.member(*own)]
    outcome.failed = [name for own in failed if (name := member.member_id(*own)) in work.mine]


def _present(study: Study, stock: directory.Stock, mine: set[str]) -> int:
    """How many members of a part are stored."""
    asked = [(own.name, index) for own in study.population for index in range(own.members)]
    return sum(stock.member(*own) and member.member_id(*own) in mine for own in asked)
