"""What was done, in titled paragraphs to be pasted into a paper: each sentence from the study at hand.

What is said of the landscape stands beside its other texts (`landscape.text`).
"""

from collections.abc import Iterable

from masklab.report import findings, load, text
from masklab.report.landscape import text as landscape
from masklab.report.methods import masks, seeds, statistics, study


def methods(analysis: load.Analysis) -> list[text.Paragraph]:
    """Methods of a study and of its analysis; sources are cited by their keys, in brackets."""
    parts: list[tuple[str, Iterable[str]]] = [
        ("Data and network", study.data(analysis)),
        ("Masks and pruners", masks.sentences(analysis)),
        ("Training", study.training(analysis)),
        ("Seeds", seeds.sentences(analysis)),
        ("Accuracy", study.accuracy(analysis)),
        *statistics.parts(analysis),
        *landscape.parts(analysis),
        ("Findings", [findings.METHOD] if findings.find(analysis, "") else []),
        ("Software", study.software(analysis)),
    ]
    found = [(title, " ".join(filter(None, sentences))) for title, sentences in parts]
    return [text.Paragraph(title, said) for title, said in found if said]
