"""Sentences of the page, written from what was actually done."""

from collections.abc import Iterable
from dataclasses import dataclass

from masklab.report import load, numbers, recipe, records


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the methods.

    Attributes:
        title: What it is about.
        text: Its sentences; sources are cited by their keys, in brackets.
    """

    title: str
    text: str


def span(values: Iterable[int]) -> str:
    """One number, or the smallest and the largest.

    Examples:
        >>> span([30, 30]), span([5, 1200]), span([])
        ('30', '5–1,200', '0')
    """
    found = sorted(set(values)) or [0]
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,}–{found[-1]:,}"


def counted(values: Iterable[int], noun: str) -> str:
    """One number, or the smallest and the largest, with a noun; its plural is formed with s.

    Examples:
        >>> counted([1, 1], "pair"), counted([2, 3], "pair"), counted([1, 3], "pair of masks")
        ('1 pair', '2–3 pairs', '1–3 pairs of masks')
    """
    found = list(values)
    first, _, rest = noun.partition(" ")
    plural = "" if set(found) == {1} else "s"
    return f"{span(found)} {first}{plural}{' ' * bool(rest)}{rest}"


def interval_methods(estimates: Iterable[records.Estimate]) -> str:
    """The level and the method of all intervals that exist, in words."""
    found = dict.fromkeys(
        f"{100.0 * estimate.level:g} % interval, {estimate.method}"
        for estimate in estimates
        if estimate.low is not None and estimate.high is not None
    )
    return "; ".join(found) or "no interval could be computed"


def embedding(method: str) -> str:
    """How a method of embedding is written.

    Examples:
        >>> embedding("tsne"), embedding("other")
        ('t-SNE', 'other')
    """
    return {"pcoa": "PCoA", "mds": "MDS", "umap": "UMAP", "tsne": "t-SNE"}.get(method, method)


def sampling(analysis: load.Analysis) -> str:
    """How much one member's accuracy varies from the finite test set alone."""
    deviations = [
        100.0 * row.sampling_sd
        for row in analysis.results.accuracy
        if row.metric == "accuracy" and row.sampling_sd is not None
    ]
    if not deviations:
        return ""
    low, high = f"{min(deviations):.2f}", f"{max(deviations):.2f}"
    images = numbers.count(analysis.study.data.test or 0, "test image")
    return (
        f"The accuracy of one member on {images} has a sampling standard deviation √(p(1 − p)/n) of "
        f"{low if low == high else f'{low} to {high}'} points at the populations' mean accuracies p."
    )


def question(analysis: load.Analysis) -> str:
    """What was asked, in a paragraph."""
    study, results = analysis.study, analysis.results
    layers = study.network.layers
    size = sum(layer.size for layer in layers)
    unmasked = len(recipe.not_masked(study))
    besides = f" ({numbers.count(unmasked, 'further tensor')} of weights not masked)" if unmasked else ""
    validation = f", {study.data.validation:,} for validation" if study.data.validation else ""
    stored = sum(population.stored for population in results.populations)
    planned = sum(population.members for population in results.populations)
    epochs = study.training.get("epochs")
    trained = f", trained for {numbers.count(epochs, 'epoch')}" if isinstance(epochs, int) else ""
    data = (
        f"Data {study.data.name}: {numbers.count(study.data.train or 0, 'training image')}{validation}, "
        f"{numbers.count(study.data.test or 0, 'test image')}, "
        f"{numbers.count(len(study.data.classes), 'class', 'classes')}"
    )
    return (
        f"{data if study.recipe_digest is not None else 'Data unknown'}. Network "
        f"{recipe.network(study)}: {numbers.count(len(layers), 'masked layer')} with "
        f"{numbers.count(size, 'weight')}{besides}. {numbers.count(len(results.populations), 'population')}, "
        f"{stored:,} of {numbers.count(planned, 'member')} stored, "
        f"{numbers.count(len(analysis.blocks), 'draw')} of base weights{trained}."
    )
