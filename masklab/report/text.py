"""Sentences of the page, written from what was actually done."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from masklab import pruners
from masklab.errors import MasklabError
from masklab.report import load, numbers, recipe, records


@dataclass(frozen=True)
class Reference:
    """A method and where it comes from.

    Attributes:
        name: Its name on the page.
        kind: Gate, refresh, control or analysis.
        rule: What it does, in a sentence.
        source: The paper, with links.
    """

    name: str
    kind: str
    rule: str
    source: Markup


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


def methods(analysis: load.Analysis) -> list[str]:
    """Methods, in paragraphs."""
    study = analysis.study
    training = recipe.training(study.training)
    seeds = "; ".join(f"{key} {numbers.plain(value)}" for key, value in study.seeds.items())
    overrides = [
        f"{population.name} ({numbers.plain(population.overrides)})"
        for population in analysis.results.populations
        if population.overrides
    ]
    differing = (
        f" Not identical, because the study overrides it: {'; '.join(overrides)}."
        if overrides
        else " No population overrides any of this."
    )
    paragraphs = [
        "Base weights are drawn at random and never trained; only masks are learned (a refresh replaces "
        f"some base weights between epochs or steps{_controls(analysis)}). "
        "Density is the fraction of weights kept. A member is one mask "
        "with its base weights; members of a population differ in their seeds alone, and member i has the "
        "same seeds in every population. Members with the same draw of base weights form a block.",
        f"All populations share one recipe: {training}.{differing} Seeds: {seeds}. The stored mask is that "
        "of the last epoch, and accuracy is its accuracy on the test set; the epoch with the best "
        "validation accuracy is reported as a separate number.",
        "Jaccard similarity of two masks is the number of weights that both keep over the number that at "
        "least one keeps. Chance level is the value expected for independent masks with the same per-layer "
        "kept counts. Chance-corrected overlap is (I − E) ÷ (I_max − E) of intersections I: E is their "
        "expectation, layer by layer, and I_max the sum over layers of the smaller kept count; 0 is chance, "
        "1 is identical. Two members share base weights when their initial draw is the same (densities scale "
        "it, refreshes then replace parts of it); pairs that do not are counted apart.",
    ]
    if study.recipe_digest is None:
        paragraphs = paragraphs[-1:]
    elif notes := recipe.network_notes(study, reestimated=_reestimated(analysis)):
        paragraphs.insert(1, " ".join(notes))
    if foreign := _imported(analysis):
        paragraphs.insert(0 if study.recipe_digest is None else 1, foreign)
    return [*paragraphs, *filter(None, [sampling(analysis)])]


def _reestimated(analysis: load.Analysis) -> bool:
    work = analysis.results.landscape_work
    return work is not None and work.statistics == "re-estimate"


def _imported(analysis: load.Analysis) -> str:
    """What the recipe does not cover: populations of other tools."""
    names = [population.name for population in analysis.results.populations if population.imported]
    if not names:
        return ""
    return (
        f"Imported: {recipe.listed(names)}. Their masks are other tools', read from files; no recipe and no "
        "seeds are known of them, so they have no accuracy here, take part in no path, and equal indices do "
        "not pair them with other members. They share base weights only where the files hold equal ones; "
        "where weights are not known, the members of such a population count as one draw of their own."
    )


def _controls(analysis: load.Analysis) -> str:
    """Controls may do otherwise; what they do stands with their source."""
    names = [population.name for population in analysis.results.populations if population.control]
    return f"; what the controls {', '.join(names)} do instead stands in the references" if names else ""


def references(analyses: Sequence[load.Analysis]) -> list[Reference]:
    """Sources of the pruners that were used, then of the analyses that were made."""
    used = dict.fromkeys(
        population.pruner
        for analysis in analyses
        for population in analysis.results.populations
        if not population.imported
    )
    found: dict[tuple[str, str], Reference] = {}
    for pruner in used:
        try:
            parts = pruners.describe(pruner)
        except MasklabError:
            why = Markup("This installation of masklab has no such pruner, so its source is not known here.")
            found[pruner, ""] = Reference(pruner, "pruner", "", why)
            continue
        for part in parts:
            found[part.name, part.kind] = Reference(part.name, part.kind, part.rule, link(part.source))
    methods_used = {embedding.method for analysis in analyses for embedding in analysis.results.embeddings}
    return [*found.values(), *(reference for key, reference in _ANALYSES.items() if key in methods_used)]


def link(source: str) -> Markup:
    """Escaped text of a source in which arXiv numbers and DOIs are links.

    Examples:
        >>> print(link("<b> (arXiv 2303.15953)"))
        &lt;b&gt; (<a href="https://doi.org/10.48550/arXiv.2303.15953">arXiv 2303.15953</a>)
    """
    text = str(escape(source))
    text = re.sub(
        r"arXiv[: ](\d{4}\.\d{4,5})", r'<a href="https://doi.org/10.48550/arXiv.\1">\g<0></a>', text
    )
    text = re.sub(r"\bdoi:(10\.\d{4,9}/[\w.()/:-]*\w)", r'<a href="https://doi.org/\1">\g<0></a>', text)
    return Markup(text)  # noqa: S704  escaped above; the patterns admit no markup


_ANALYSES = {
    "pcoa": Reference(
        "PCoA",
        "analysis",
        "Coordinates whose Euclidean distances come closest to the given ones.",
        link(
            "Gower, Some distance properties of latent root and vector methods used in multivariate "
            "analysis, Biometrika 53, 1966 (doi:10.1093/biomet/53.3-4.325)."
        ),
    ),
    "umap": Reference(
        "UMAP",
        "analysis",
        "Layout of a nearest-neighbour graph.",
        link(
            "McInnes, Healy & Melville, UMAP: Uniform Manifold Approximation and Projection for Dimension "
            "Reduction, 2018 (arXiv 1802.03426)."
        ),
    ),
}
