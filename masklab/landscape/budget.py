"""How much is evaluated: a number of evaluations, networks × images, fixed before the start."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masklab.errors import ConfigError

SHARE_OF_TRAINING = 0.6
"""Default: forward passes per forward pass of the training, a backward pass counted as two."""

LEAST = 1_000_000
"""Evaluations of the default where little was trained."""

LONGEST_S = 120.0
"""Seconds on the machine at hand that the default is meant to take at most."""

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Budget:
    """What may be spent: `evaluations`, or `seconds` that are converted into evaluations once.

    Both None is the default: `SHARE_OF_TRAINING`, at most `LONGEST_S`.
    """

    evaluations: int | None = None
    seconds: float | None = None

    def count(self, study: Mapping[str, Any], rate: float) -> tuple[int, str]:
        """Evaluations, and where their number comes from.

        Args:
            study: The resolved study.
            rate: Evaluations per second on this machine, all threads together.
        """
        if self.evaluations is not None:
            return self.evaluations, "given as a number of evaluations"
        if self.seconds is not None:
            return max(1, int(self.seconds * rate)), f"{self.seconds:g} s on the machine of the analysis"
        wanted = default(study)
        if wanted > LONGEST_S * rate:
            return int(
                LONGEST_S * rate
            ), f"{LONGEST_S:g} s on the machine of the analysis (at most, by default)"
        return wanted, f"{SHARE_OF_TRAINING:g} × the forward passes of the training (the default)"


def default(study: Mapping[str, Any]) -> int:
    """Evaluations when nobody says how many."""
    data, epochs = study["data"], study["training"]["epochs"]
    members = sum(row["members"] for row in study["populations"] if row["trained"])
    passes = 3 * members * epochs * data["train"]
    return max(LEAST, int(SHARE_OF_TRAINING * passes))


def parse(text: str) -> Budget:
    """A budget from the command line: `60s`, `5min`, `2h`, or a number of evaluations such as `1000000`.

    Raises:
        ConfigError: It is none of these, or zero.

    Examples:
        >>> parse("90s").seconds, parse("5min").seconds, parse("1_000_000").evaluations
        (90.0, 300.0, 1000000)
    """
    found = re.fullmatch(r"(\d+(?:_\d+)*(?:\.\d+)?)\s*(s|min|h)?", text.strip())
    number = float(found[1]) if found else 0.0
    if found is None or not 0 < number < 1e15 or (found[2] is None and not number.is_integer()):
        raise ConfigError(
            f"--budget {text}: not a budget; give a time (60s, 5min, 2h) or a number of evaluations, "
            "networks × images (1000000)"
        )
    if found[2]:
        return Budget(seconds=number * _UNITS[found[2]])
    return Budget(evaluations=int(number))


def allot(budget: int, shares: Sequence[float], wanted: Sequence[int]) -> list[int]:
    """Divide a budget by shares; what one does not want goes to the others.

    Args:
        budget: Evaluations.
        shares: Weight of each, positive.
        wanted: The most that each can use.

    Examples:
        >>> allot(100, [1.0, 1.0, 2.0], [10, 100, 100])
        [10, 30, 60]
        >>> allot(100, [1.0, 1.0], [10, 20])
        [10, 20]
    """
    given = [0.0] * len(shares)
    open_ = {at for at, most in enumerate(wanted) if most > 0}
    left = float(budget)
    while open_:
        total = sum(shares[at] for at in open_)
        full = {at for at in open_ if wanted[at] <= left * shares[at] / total}
        if not full:
            for at in open_:
                given[at] = left * shares[at] / total
            break
        for at in full:
            given[at] = float(wanted[at])
        left -= sum(wanted[at] for at in full)
        open_ -= full
    return [int(amount) for amount in given]
