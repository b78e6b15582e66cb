"""How often two members predict the same class, and are right or wrong together, from exact counts.

Source: Kuncheva & Whitaker, Measures of diversity in classifier ensembles (Machine Learning 51, 2003) for
Yule's Q and double fault; Cohen, A coefficient of agreement for nominal scales (1960) for κ; Fort, Hu &
Lakshminarayanan, Deep ensembles: a loss landscape perspective (2019), and its published notebook, for
disagreement ÷ error and its two limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt16

from masklab import bits
from masklab.analysis import chance

Square = Float64[np.ndarray, "members members"]
Counts = Int64[np.ndarray, "members members"]

_BITS_AT_ONCE = 2**26


@dataclass(frozen=True, eq=False)
class Statistic:
    """One measure of all pairs of members; NaN where undefined.

    Attributes:
        metric: Its name.
        values: Its values, symmetric; the diagonal means nothing.
        chance: What independent members would show.
        limits: Further levels of reference, by name.
        over: What their means are divided by: Σ values ÷ Σ over, instead of a mean of ratios, which a member
            that makes next to no error would dominate.
        why: Why it is undefined, where it is.
    """

    metric: str
    values: Square
    chance: Square
    limits: dict[str, Square] = field(default_factory=dict)
    over: Square | None = None
    why: str = ""


def agreements(classes: UInt16[np.ndarray, "members images"], labels: int) -> Counts:
    """Number of images for which both predict the same class.

    Intersections of predictions as one bit per image and class, some images at a time.

    Args:
        classes: Predicted classes, below `labels`.
        labels: Number of classes.

    Examples:
        >>> agreements(np.array([[0, 1, 2], [0, 2, 2]], dtype=np.uint16), 3).tolist()
        [[3, 2], [2, 3]]
    """
    members, images = classes.shape
    step = max(1, _BITS_AT_ONCE // max(1, members * labels))
    known = np.arange(labels, dtype=np.uint16)
    total = np.zeros((members, members), dtype=np.int64)
    for start in range(0, images, step):
        hot = classes[:, start : start + step, None] == known
        total += bits.intersections(bits.pack(hot.reshape(members, -1)))
    return total


def statistics(
    classes: UInt16[np.ndarray, "members images"],
    labels: int,
    right: Bool[np.ndarray, "members images"] | None = None,
) -> Iterator[Statistic]:
    """`disagreement`, `kappa`; from true classes `normalised_disagreement`, `q_statistic`, `double_fault`.

    Disagreement and double fault are shares of the images. By chance two members agree on Σ p_c q_c of the
    images, p and q being how often each predicts each class, and both are wrong on the product of their
    errors.

    Args:
        classes: Predicted classes, below `labels`; at least one image.
        labels: Number of classes, at least 2.
        right: Whether each prediction is the true class, where that is known.
    """
    images = classes.shape[1]
    agreed = agreements(classes, labels) / images
    shares = np.stack([np.bincount(row, minlength=labels) for row in classes]) / images
    expected = shares @ shares.T
    yield Statistic("disagreement", 1 - agreed, 1 - expected)
    room = 1 - expected
    room[room < 1 / (2 * images**2)] = 0  # expected agreement is a multiple of 1 / images²
    kappa = np.divide(agreed - expected, room, out=np.full_like(room, np.nan), where=room > 0)
    why = "in at least one pair both members always predict the same single class"
    yield Statistic("kappa", kappa, np.where(np.isnan(kappa), np.nan, 0.0), why=why)
    if right is None:
        return
    both = bits.intersections(bits.pack(right))
    each = both.diagonal()
    yield _normalised(1 - agreed, each / images, labels)
    wrong = images - np.add.outer(each, each) + both
    agreeing, split = both * wrong, (each[:, None] - both) * (each[None, :] - both)
    q = chance.ratio(agreeing - split, agreeing + split)
    why = "in at least one pair the table of right and wrong predictions has an empty row or column"
    yield Statistic("q_statistic", q, np.where(np.isnan(q), np.nan, 0.0), why=why)
    error = 1 - each / images
    yield Statistic("double_fault", wrong / images, np.multiply.outer(error, error))


def _normalised(disagreement: Square, accuracy: Float64[np.ndarray, " members"], labels: int) -> Statistic:
    """Disagreement ÷ error: of a set of pairs the mean disagreement ÷ the mean error, with its limits.

    Fort and others divide by the error of the one member that is compared; over pairs in both directions the
    ratio of means keeps that scale, and is defined where a member makes no error.

    Its chance level, an upper limit, is that of independent errors; the lower limit, `relabelled`, that of
    the better member with some predictions replaced by random other classes until it is as bad as the other.
    """
    error = 1 - accuracy
    a, r = np.minimum.outer(accuracy, accuracy), np.maximum.outer(accuracy, accuracy)
    independent = r * (1 - a) + a * (1 - r) + (1 - r) * (1 - a) * (labels - 2) / (labels - 1)
    above_guessing = r - (1 - r) / (labels - 1)
    replaced = np.divide(r - a, above_guessing, out=np.full_like(a, np.nan), where=above_guessing > 0)
    replaced[replaced > 1] = np.nan  # one of them is worse than guessing: no relabelling makes it so
    return Statistic(
        "normalised_disagreement",
        disagreement,
        independent,
        {"relabelled": replaced},
        np.add.outer(error, error) / 2,
        "no member makes an error",
    )
