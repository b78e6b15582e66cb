"""Generated nulls: what overlap would be if only kept counts, or only weight magnitudes, mattered.

`chance` has the formulas for independent masks. Here are the nulls that have to be generated: whole
populations of matched random masks (`twins`), and masks whose bits are permuted among weights of similar
magnitude (`magnitude`).
"""

from collections.abc import Sequence
from typing import Any

from masklab.analysis.distances import Distances
from masklab.analysis.nulls import magnitude

Row = dict[str, Any]


def rows(twins: Sequence[Distances], finer: magnitude.Magnitude | None = None) -> list[Row]:
    """What the nulls of the results rest on: rows `{null, text, members, replicates}`.

    Args:
        twins: The matched random masks that were generated.
        finer: The expectation given weight magnitudes; None where there is none.
    """
    found: list[Row] = [
        {
            "null": "twins",
            "text": "random masks that keep as many weights of each layer as the members do",
            "members": list(twins[0].ids) if twins else [],
            "replicates": len(twins),
        }
    ]
    if finer is not None:
        text = (
            f"bits permuted among weights of similar magnitude ({magnitude.BINS} bins per layer); expectation"
        )
        found.append({"null": "magnitude", "text": text, "members": list(finer.ids), "replicates": None})
    return found
