"""A part of a study's cohorts: for job arrays, where nobody hands work out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masklab.errors import ConfigError


@dataclass(frozen=True)
class Shard:
    """One of several parts of equal rank.

    Attributes:
        number: Which, from 1.
        of: How many there are.
    """

    number: int = 1
    of: int = 1

    def owns(self, place: int) -> bool:
        """Whether the piece of work at a place, from 0, belongs to this part."""
        return place % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard()


def parse(text: str) -> Shard:
    """A part that is written `i/n`.

    Raises:
        ConfigError: It is none.

    Examples:
        >>> parse("2/8")
        Shard(number=2, of=8)
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise ConfigError(f"--shard {text}: expected i/n with i from 1 to n, e.g. 1/8 … 8/8")
    return Shard(number, of)


def own(plan: Mapping[str, Any], record: Mapping[str, Any], shard: Shard) -> set[str]:
    """Ids of the cohorts of a part: disjoint, complete, and the same in whichever order parts run.

    Cohorts of a control stay with those that train what they are made from.

    Args:
        plan: The study's plan.
        record: The resolved study.
        shard: Which part.
    """
    found = groups(plan, record)
    return {cohort for place, group in enumerate(found) if shard.owns(place) for cohort in group}


def groups(plan: Mapping[str, Any], record: Mapping[str, Any]) -> list[list[str]]:
    """Ids of cohorts that cannot be trained apart; more parts than there are groups have nothing to do.

    Args:
        plan: The study's plan.
        record: The resolved study.
    """
    return _together(plan["cohorts"], {p["name"]: p["options"].get("of") for p in record["populations"]})


def _together(cohorts: Sequence[Mapping[str, Any]], sources: Mapping[str, str | None]) -> list[list[str]]:
    """Ids of cohorts that need each other's members, in the order of the plan."""
    member_of = {(c["population"], index): c["id"] for c in cohorts for index in c["indices"]}
    group = {cohort["id"]: [cohort["id"]] for cohort in cohorts}
    for cohort in cohorts:
        source = sources.get(cohort["population"])
        for index in cohort["indices"] if source else ():
            other = member_of.get((source or "", index))
            if other is not None and group[other] is not group[cohort["id"]]:
                group[other] += group[cohort["id"]]
                for moved in group[cohort["id"]]:
                    group[moved] = group[other]
    return list({id(own): own for own in group.values()}.values())
