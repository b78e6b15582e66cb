"""Do pictures of the masks show more than pictures of random masks would?"""

from collections.abc import Sequence

from masklab.report import numbers, records, text
from masklab.report.findings import evidence, words
from masklab.report.findings.subject import Finding, Subject

_ANCHOR = "embeddings"
_DIGITS = 3


def ask(subject: Subject) -> list[Finding]:
    """Trustworthiness of every embedding, against that of random masks."""
    rows = [
        row
        for row in subject.analysis.results.embeddings
        if row.points and row.null and row.p is not None and row.quality
        if row.quality.trustworthiness is not None
    ]
    if not rows or not subject.pruners:
        return []
    p_values = evidence.adjust([row.p or 0.0 for row in rows])
    adjusted = dict(zip((row.method for row in rows), p_values, strict=True))
    clear = [row for row in rows if row.distinguishable and evidence.small(adjusted[row.method])]
    others = [row for row in rows if row not in clear]
    if not clear:
        sentence = (
            f"No embedding can be told from that of random masks: trustworthiness {_each(rows)} "
            f"({_ground(rows, min(adjusted.values()), 'smallest adjusted')})."
        )
        return [subject.answer(sentence, _ANCHOR, carried=False)]
    p = max(adjusted[row.method] for row in clear)
    sentence = (
        f"Near points are near masks in {_names(clear)}, more than in embeddings of random masks: "
        f"trustworthiness {_each(clear)} ({_ground(rows, p, 'adjusted')})."
    )
    but = f"{_names(others)} cannot be told from the embedding of random masks." if others else ""
    return [subject.answer([sentence, but], _ANCHOR)]


def _names(rows: Sequence[records.Embedding]) -> str:
    return words.listed([text.embedding(row.method) for row in rows])


def _each(rows: Sequence[records.Embedding]) -> str:
    """Trustworthiness of each against that of random masks."""
    said = []
    for row in rows:
        reached = row.quality.trustworthiness if row.quality else None
        level = numbers.null(row.null, 1.0, _DIGITS)
        said.append(f"{text.embedding(row.method)} {numbers.fixed(reached or 0.0, _DIGITS)} against {level}")
    return words.listed(said)


def _ground(rows: Sequence[records.Embedding], p: float, which: str) -> str:
    """What the comparison rests on; the interval is the range of random masks."""
    members = numbers.count(max(len(row.points) for row in rows), "member")
    sets = text.counted([row.null.n for row in rows if row.null], "set")
    smallest = min((row.smallest_p for row in rows if row.smallest_p is not None), default=None)
    ground = words.Ground("", "embedding", len(rows), "", "one-sided")
    return (
        f"n = {members} of all populations; chance level: random masks, mean and range of {sets}; "
        f"{ground.corrected(which, p, [])}; the smallest p attainable is {numbers.probability(smallest)}"
    )
