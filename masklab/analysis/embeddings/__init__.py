"""Masks as points in the plane: embeddings of √Hamming, each beside that of matched random masks.

In many dimensions independent masks are nearly equidistant, and every method draws groups and shapes from
that noise. So each embedding is judged by its trustworthiness, against that of its twins: the same method on
random masks with the same kept counts per layer. It takes 19 twins to tell at 5 %: principal coordinates have
them up to 1,500 members, the other methods up to 500, where as many were drawn. Above, or with fewer, there
is a twin to look at and no test.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from masklab.analysis.embeddings import mds, pcoa, plane, quality, tsne, umap
from masklab.analysis.nulls import summary
from masklab.errors import ConfigError, unknown

Row = dict[str, Any]

DISTANCE = "sqrt-hamming"

LEAST_MEMBERS = 4
"""Members below which there is no embedding: three points always lie in a plane."""

FURTHER_RUNS = 3
"""Runs with other seeds, for the stability."""

MOST_TO_REPEAT = 500
"""Members up to which there are further runs."""

TESTED_AT = 0.05
"""Smallest p value with which an embedding can be told from those of random masks."""

_METHODS = {
    "pcoa": plane.Method(pcoa.fit, pcoa.TWINS, pcoa.RUNS),
    "mds": plane.Method(mds.fit, mds.TWINS, mds.RUNS),
    "umap": plane.Method(umap.fit, umap.TWINS, umap.RUNS),
    "tsne": plane.Method(tsne.fit, tsne.TWINS, tsne.RUNS),
}

METHODS = tuple(_METHODS)
"""Names of the methods."""


def twins_used(method: str, members: int) -> int:
    """How many sets of matched random masks `embed` looks at; 0 where there are too many members to embed.

    Args:
        method: One of `METHODS`.
        members: Number of members.

    Raises:
        ConfigError: There is no such method.

    Examples:
        >>> twins_used("pcoa", 84), twins_used("mds", 2000), twins_used("mds", 100_000)
        (19, 1, 0)
    """
    return next((twins for most, twins in _method(method).twins if members <= most), 0)


def embed(
    method: str, ids: list[str], hamming: plane.Square, twins: Sequence[plane.Square], seed: int
) -> Row | None:
    """One row of `embeddings`; plain arguments, so that it can run in another process.

    `p` is that of the trustworthiness, one-sided, against the twins: (1 + how many are at least as
    trustworthy) ÷ (1 + twins). `distinguishable` is whether none is, and None with a `why` where the twins
    are too few to tell at `TESTED_AT`. With too many members for the method the row has no points, and says
    `why`. Points do not depend on the number of processor cores.

    Args:
        method: One of `METHODS`.
        ids: Member ids.
        hamming: Their Hamming distances, as fractions.
        twins: Those of matched random masks; the first `twins_used` count.
        seed: The study's seed.

    Returns:
        The row, or None for fewer than `LEAST_MEMBERS` members.

    Raises:
        ConfigError: There is no such method.
    """
    found, members = _method(method), len(ids)
    if members < LEAST_MEMBERS:
        return None
    used = twins_used(method, members)
    if not used:
        most = found.twins[-1][0]
        return _row(method, ids, None, why=f"{members} members; {method} is drawn for up to {most}")
    with _one_thread():
        shown = found.fit(hamming, seed, 0)
        row = _row(method, ids, shown)
        row["quality"] = _quality(found, hamming, shown, seed)
        row["parameters"] |= {"runs": found.runs}
        return row | _against(found, row["quality"]["trustworthiness"], ids, list(twins)[:used], seed)


def _one_thread() -> AbstractContextManager[object]:
    """One thread for linear algebra and scikit-learn: others would sum in another order."""
    import sklearn.manifold  # noqa: F401 - only libraries that are loaded are limited
    import threadpoolctl

    return threadpoolctl.threadpool_limits(1)


def in_order(rows: Iterable[Row | None]) -> list[Row]:
    """Rows of `embed` in the order of `METHODS`, however they became ready; None is left out.

    Examples:
        >>> [row["method"] for row in in_order([{"method": "umap"}, None, {"method": "pcoa"}])]
        ['pcoa', 'umap']
    """
    return sorted((row for row in rows if row), key=lambda row: METHODS.index(row["method"]))


def warnings(rows: Iterable[Row | None]) -> list[Row]:
    """Warnings `{code, text, where}` for embeddings that show no more than those of random masks, or may not.

    Args:
        rows: What `embed` returned.
    """
    found = []
    for row in rows:
        if not row or not row["points"] or row["distinguishable"]:
            continue
        if row["distinguishable"] is None:
            code = "embedding-not-tested"
            text = f"{row['method']} is not tested against random masks ({row['why']})"
        else:
            code, null = "embedding-like-noise", row["null"]
            text = (
                f"{row['method']} is no more trustworthy than that of random masks with the same kept counts "
                f"({row['quality']['trustworthiness']:.3f}; theirs {null['low']:.3f} to {null['high']:.3f})"
            )
        meaning = "groups and shapes in it need not mean anything"
        found.append({"code": code, "text": f"{text}: {meaning}", "where": row["method"]})
    return found


def _method(name: str) -> plane.Method:
    if name not in _METHODS:
        raise ConfigError(unknown("embedding", name, METHODS))
    return _METHODS[name]


def _quality(found: plane.Method, hamming: plane.Square, shown: plane.Plane, seed: int) -> Row:
    runs, alone = [], "nothing in this method is random"
    if found.runs is not None and len(hamming) <= MOST_TO_REPEAT:
        runs = [found.fit(hamming, seed, run).points for run in range(1, FURTHER_RUNS + 1)]
    elif found.runs is not None:
        alone = f"measured for up to {MOST_TO_REPEAT} members"
    return quality.measure(hamming, shown.points, runs, alone=alone)


def _against(
    found: plane.Method, observed: float | None, ids: list[str], twins: list[plane.Square], seed: int
) -> Row:
    """The fields that compare an embedding with those of its twins."""
    if not twins:
        return {"why": summary.NO_TWINS}
    planes = [found.fit(twin, seed, 0) for twin in twins]
    trusts = [quality.trustworthiness(twin, own.points) for twin, own in zip(twins, planes, strict=True)]
    null = summary.of(trusts)
    row: Row = {
        "twin": {
            "points": _points(ids, planes[0]),
            "explained": planes[0].explained,
            "quality": _quality(found, twins[0], planes[0], seed),
        },
        "null": null,
    }
    if observed is None or null is None:
        return {**row, "why": quality.EQUAL if observed is None else "all matched random masks are equal"}
    smallest = 1 / (1 + len(trusts))
    p = (1 + sum(trust >= observed for trust in trusts)) / (1 + len(trusts))
    tested: Row = {"p": p, "smallest_p": smallest, "distinguishable": p == smallest}
    if smallest > TESTED_AT:
        needed = round(1 / TESTED_AT) - 1
        sets = "1 set" if len(trusts) == 1 else f"{len(trusts)} sets"
        why = f"{sets} of random masks; it takes {needed} to tell at {TESTED_AT:.0%}".replace("%", " %")
        tested |= {"distinguishable": None, "why": why}
    return row | tested


def _points(ids: list[str], shown: plane.Plane) -> list[Row]:
    return [{"id": own, "x": float(x), "y": float(y)} for own, (x, y) in zip(ids, shown.points, strict=True)]


def _row(method: str, ids: list[str], shown: plane.Plane | None, *, why: str = "") -> Row:
    row: Row = {
        "method": method,
        "distance": DISTANCE,
        "points": _points(ids, shown) if shown else [],
        "axes": shown.axes if shown else [f"{method} {axis}" for axis in (1, 2)],
        "explained": shown.explained if shown else None,
        "parameters": dict(shown.parameters) if shown else {},
        "quality": None,
        "twin": None,
        "null": None,
        "p": None,
        "smallest_p": None,
        "distinguishable": None,
    }
    return {**row, "why": why} if why else row
