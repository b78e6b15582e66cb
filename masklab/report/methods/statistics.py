"""How the statistics of a page were computed, in sentences that cite their sources."""

from collections.abc import Iterable, Iterator, Sequence

from masklab.report import load, numbers, records, sources, text
from masklab.report.methods import differences

_OUTCOMES = {"divergence", "steps", "stress"}
"""Parameters of embeddings that were found, not set."""

_EMBEDDINGS = {
    "pcoa": ("gower1966latent",),
    "mds": ("deleeuw2009smacof",),
    "umap": ("mcinnes2018umap",),
    "tsne": ("vandermaaten2008tsne",),
}
_STARTED = {"umap": "kobak2021initialization", "tsne": "kobak2019art"}
"""Source of the start from principal coordinates."""


def parts(analysis: load.Analysis) -> list[tuple[str, Iterable[str]]]:
    """Titles, and sentences on all statistics that the analysis holds."""
    return [
        ("Overlap", _overlap(analysis)),
        ("Tests", differences.sentences(analysis)),
        ("Function", _function(analysis)),
        ("Diversity", _diversity(analysis)),
        ("Embeddings", _embeddings(analysis)),
        ("Structure", _structure(analysis)),
        ("Movement", _movement(analysis)),
    ]


def _overlap(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    if results.overlap or results.stability or results.consensus:
        yield (
            "Chance level is what independent masks with the same kept counts in every layer show on average "
            "(layers are hypergeometric strata)."
        )
    if results.overlap:
        yield (
            "With I weights that two masks both keep, of k₁ and k₂ kept by each among N: Jaccard similarity "
            "is I ÷ (k₁ + k₂ − I) and Hamming distance (k₁ + k₂ − 2I) ÷ N. Observed ÷ expected is I ÷ E with "
            "E = Σ k₁k₂ ÷ N over layers; chance-corrected overlap is (I − E) ÷ (I_max − E) with I_max the "
            "sum over layers of the smaller kept count: 0 is chance, 1 the most that there can be. z is the "
            "excess of the mean I over E in exact standard deviations under chance, and stands only beside "
            "these effect sizes. Two members share base weights when their initial draw is the same "
            "(densities scale it, refreshes then replace parts of it); pairs that do not are averaged apart."
        )
    if results.overlap or results.stability:
        yield (
            "Means over pairs have leave-one-mask-out jackknife intervals "
            f"{sources.cite('efron1981jackknife')}, Student's t with n − 1 degrees of freedom: units are "
            "masks, never pairs, which share masks. The jackknife's variance is too large on average "
            "(conservative), near chance above all."
        )
    if results.stability:
        yield (
            f"Stability is Nogueira's {sources.cite('nogueira2018stability')}, per layer and averaged by "
            "their weights: 0 for independent masks, 1 for equal ones."
        )
    if results.consensus:
        yield (
            "Consensus counts the weights that exactly t of n masks keep; its chance level is the exact "
            "(Poisson-binomial) expectation for independent masks."
        )
    for null in results.nulls:
        sets = f" ({numbers.count(null.replicates, 'set')})" if null.replicates is not None else ""
        if null.replicates != 0:
            yield f"Generated null: {null.text}{sets}."


def _function(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    metrics = {row.metric for row in results.function if row.estimate.value is not None}
    measured = {
        "disagreement": "disagreement, the share of test images that two members class differently",
        "normalised_disagreement": "disagreement ÷ error, mean over mean, between independent errors and a "
        f"relabelled better member {sources.cite('fort2019ensembles')}",
        "kappa": f"κ of the classes {sources.cite('cohen1960agreement')}",
        "q_statistic": f"Yule's Q of being right {sources.cite('kuncheva2003diversity')}",
        "double_fault": "double fault, the share that both get wrong "
        f"{sources.cite('kuncheva2003diversity')}",
        "jensen_shannon": "Jensen–Shannon divergence of the probabilities, in bits "
        f"{sources.cite('lin1991divergence')}",
    }
    said = [words for metric, words in measured.items() if metric in metrics]
    if said:
        yield (
            f"Predictions of two members are compared by {'; '.join(said)}. Chance levels are those of "
            "members that predict each class as often, and err as often, but independently."
        )
    if any("Hall" in row.estimate.method for row in results.function if row.estimate.low is not None):
        yield (
            "Intervals are the jackknife's over masks, corrected for skewness "
            f"{sources.cite('efron1981jackknife', 'hall1992skewness')}."
        )
    if "q_statistic" in metrics:
        yield "Mean Q has an interval where Q is −1 or 1 for at most a twentieth of the pairs."
    if "double_fault" in metrics:
        yield "Mean double fault has an interval from five images a pair on."
    if results.ensembles:
        yield (
            "Ensembles average probabilities, or vote; their gain is over their mean member, and its chance "
            f"level that of independent errors {sources.cite('kuncheva2003diversity')}."
        )
    yield from _mantel(
        [row for row in results.tests if row.test == "mantel" and row.estimate.value is not None]
    )


def _mantel(tests: Sequence[records.Test]) -> Iterator[str]:
    if not tests:
        return
    yield (
        f"Mantel correlations {sources.cite('mantel1967clustering')} of mask distance with disagreement are "
        "taken within each population and draw of base weights and then combined, never over populations "
        "pooled."
    )
    if permuted := [row.permutations for row in tests if row.permutations]:
        yield (
            "Their p, two-sided, is from permutations of the seeds, all members of a seed together "
            f"({text.counted(permuted, 'permutation')})."
        )
    if any(row.estimate.low is not None for row in tests):
        yield (
            "Intervals are the jackknife's on Fisher's scale "
            f"{sources.cite('efron1981jackknife', 'fisher1921probable')}, no narrower than what permutations "
            "reach."
        )


def _diversity(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    metrics = {row.metric for row in results.diversity if row.estimate.value is not None}
    if "vendi" in metrics:
        yield (
            f"The Vendi score {sources.cite('friedman2023vendi')} is the exponential of the entropy of the "
            "eigenvalues of the matrix of φ correlations between masks, each layer centred by its own kept "
            "share: an effective number of different masks; beside it stands that of as many random masks."
        )
    if metrics & {"nearest_mean", "nearest_min"}:
        yield "Nearest neighbours are by Hamming distance."
    drawn = {row.metric for row in results.rarefaction}
    if drawn - {"coverage"}:
        yield (
            "Rarefaction repeats these counts on random subsets of the masks "
            f"{sources.cite('gotelli2001biodiversity')}."
        )
    if "coverage" in drawn:
        yield (
            "Coverage, the share of the weights that one mask of a subset keeps at least, is exact over all "
            f"subsets {sources.cite('hurlbert1971nonconcept')}."
        )
    if "dimension_bid" in metrics:
        yield (
            "The binary intrinsic dimension is fitted to the histogram of Hamming distances "
            f"{sources.cite('acevedo2025semantic')}."
        )
    if "dimension_twonn" in metrics:
        yield f"The TwoNN dimension is of √Hamming {sources.cite('facco2017dimension')}."


def _embeddings(analysis: load.Analysis) -> Iterator[str]:
    drawn = [row for row in analysis.results.embeddings if row.points]
    if not drawn:
        return
    yield f"Embeddings are of √Hamming: {'; '.join(_embedding(row) for row in drawn)}."
    judged = [row.quality for row in drawn if row.quality]
    tested = [row.null.n for row in drawn if row.quality and row.null]
    if judged:
        compared = (
            "; it is compared with that of the same method on "
            f"{text.counted(tested, 'set')} of random masks, p one-sided"
            if tested
            else ""
        )
        yield (
            f"Trustworthiness {sources.cite('venna2001neighborhood')} looks at "
            f"{text.span([own.neighbors for own in judged])} neighbours{compared}."
        )
    if any(own.shepard is not None for own in judged):
        yield (
            "Shepard's correlation is that of the ranks of the distances in the plane and of the masks "
            f"{sources.cite('shepard1962proximities')}."
        )
    if any(own.stability is not None for own in judged):
        yield "Stability of an embedding is the share of nearest points that further runs have in common."


def _embedding(row: records.Embedding) -> str:
    """A method, its settings, its sources."""
    settings = {key: own for key, own in row.parameters.items() if own is not None and key not in _OUTCOMES}
    keys = list(_EMBEDDINGS.get(row.method, ()))
    if row.parameters.get("init") == "pcoa" and row.method in _STARTED:
        keys.append(_STARTED[row.method])
    said = f" ({numbers.plain(settings)})" if settings else ""
    return f"{text.embedding(row.method)}{said}{f' {sources.cite(*keys)}' if keys else ''}"


def _structure(analysis: load.Analysis) -> Iterator[str]:
    rows = [row for row in analysis.results.structure if row.estimate.value is not None]
    if not rows:
        return
    yield (
        "Structure is averaged over members; its chance levels are those of random masks that keep as many "
        "weights of each layer. Norms of kept and of pruned weights are of the base weights."
    )
    if any("Hall" in row.estimate.method for row in rows if row.estimate.low is not None):
        yield (
            "Intervals reach as far as t or Hall's t, which is corrected for skewness "
            f"{sources.cite('hall1992skewness')}; upper ends of dead and disconnected weights at least as "
            "far as t on the scale of logarithms."
        )
    if any(row.metric == "disconnected_count" for row in rows):
        yield (
            "Disconnected weights are kept but lie on no path from input to output "
            f"{sources.cite('vysogorets2023connectivity')}."
        )


def _movement(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    metrics = {row.metric for row in results.movement if row.estimate.value is not None}
    if "flipped_per_epoch" in metrics:
        yield "Movement is the share of the bits that flip between successive snapshots, per epoch."
    if "to_final" in metrics:
        yield (
            "The way left is the Hamming distance of a snapshot to the final mask; its chance level is that "
            "of independent masks with the same kept counts per layer."
        )
    if shares := sorted({row.tolerance for row in results.settling if row.estimate.value is not None}):
        within = " or ".join(f"{100.0 * share:g} %" for share in shares)
        yield (
            "A mask has settled at the first snapshot from which on it differs from the final one in at most "
            f"{within} of the weights."
        )
