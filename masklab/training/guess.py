"""The k-th largest key from a guess: exact, and faster than a partition of all keys.

Between two steps a threshold hardly moves, so it is looked for among the few keys near the last one. The
guess only saves time: where it fails, the caller does without it, and masks never depend on it.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

LEAST = 2**16
"""Weights from which a guess pays; smaller layers are partitioned as a whole."""

_FIRST_WIDTH = 0.01
_MOST = 1 / 16
_WIDER, _NARROWER = 1 / 1024, 1 / 128
"""Share of the keys near the guess above which it fails, and below (above) which the next look is wider
(narrower)."""


@dataclass
class Guess:
    """Last threshold of each member, and how far around it to look; NaN where there is none yet.

    Attributes:
        value: Thresholds, float32 [members].
        width: Half widths, float32 [members].
    """

    value: Float[np.ndarray, " members"]
    width: Float[np.ndarray, " members"]

    @classmethod
    def none(cls, members: int) -> "Guess":
        """No member has a threshold yet."""
        return cls(np.full(members, np.nan, np.float32), np.zeros(members, np.float32))

    def of(self, rows: slice) -> "Guess":
        """That of some members; what is learned there is learned here."""
        return Guess(self.value[rows], self.width[rows])

    def learn(self, member: int, threshold: float) -> None:
        """Take a threshold that was found without a guess; none is learned from one that is not finite."""
        self.value[member] = threshold if math.isfinite(threshold) else np.nan
        self.width[member] = _FIRST_WIDTH * abs(self.value[member])

    @np.errstate(over="ignore")  # a bound beyond all numbers is infinite, and as good
    def mask(
        self, member: int, key: Float[np.ndarray, " size"], kept: int
    ) -> Bool[np.ndarray, " size"] | None:
        """Exactly the `kept` largest keys of one member, on ties the lower index; None where this fails."""
        centre, width = self.value[member], self.width[member]
        if np.isnan(centre):
            return None
        mask, near = key > centre + width, key >= centre - width
        above, within = np.count_nonzero(mask), np.count_nonzero(near)
        share = (within - above) / key.size
        if not above < kept <= within or share > _MOST:
            return None
        places = np.flatnonzero(mask != near)
        keys, wanted = key[places], kept - above
        threshold = np.partition(keys, keys.size - wanted)[keys.size - wanted]
        if not np.isfinite(threshold):
            return None
        chosen = keys > threshold
        chosen[np.flatnonzero(keys == threshold)[: wanted - np.count_nonzero(chosen)]] = True
        mask[places] = chosen
        self.value[member] = threshold
        self.width[member] = width * (2.0 if share < _WIDER else 0.5 if share > _NARROWER else 1.0)
        return mask
