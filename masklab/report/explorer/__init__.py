"""The interactive explorer of a study: members in an embedding, their distances, and curves between them.

`data`, `cells` and `curves` say what the script gets, `chart` how Vega-Lite draws it (Altair writes that),
and `runtime` is the JavaScript that does. What is selected is worked out in `assets/js/explorer*.js`.
"""

from masklab.report.explorer.made import Explorer, make
from masklab.report.explorer.runtime import runtime

__all__ = ["Explorer", "make", "runtime"]
