"""One look per pruner: the colours of the populations where each pruner has one, else close to them."""

from collections.abc import Sequence

from masklab.report import load, models, style

GREY = "#808080"
"""Of untrained controls; readable on white and on black."""

_SAFE = 10  # so many colours of `style.colours` are safe for the colour-blind


def pruners(analyses: Sequence[load.Analysis], theme: style.Theme) -> dict[str, str]:
    """Pruner → colour.

    A line that stands for several populations has the colour of none of them, so that hiding one population
    does not hide what the others share with it.

    Args:
        analyses: All studies of the page.
        theme: Colours of the populations.
    """
    names: dict[str, list[str]] = {}
    for population in _all(analyses):
        names.setdefault(population.pruner, []).append(population.name)
    grey = {population.pruner for population in _all(analyses) if is_grey(population)}
    if all(len(set(own)) == 1 for own in names.values()):
        found = {pruner: theme.colours[own[0]] for pruner, own in names.items()}
    elif len(theme.colours) <= _SAFE:
        found = {pruner: _beside(theme.colours[own[0]]) for pruner, own in names.items()}
    else:
        found = {pruner: _beside(colour) for pruner, colour in style.colours(list(names)).items()}
    return {pruner: GREY if pruner in grey else colour for pruner, colour in found.items()}


def _all(analyses: Sequence[load.Analysis]) -> list[models.Population]:
    return [population for analysis in analyses for population in analysis.results.populations]


def is_grey(population: models.Population) -> bool:
    """Whether a population is an untrained control: what the others are held against."""
    return population.control is not None and not population.trained


def _beside(colour: str) -> str:
    """A colour that no eye tells from another, but a comparison does.

    Examples:
        >>> _beside("#0173b2"), _beside("#ffffff")
        ('#0173b3', '#fffffe')
    """
    value = int(colour[1:], 16)
    return f"#{value + (1 if value % 256 < 255 else -1):06x}"
