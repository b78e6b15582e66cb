"""How the statistics of a page were computed, in sentences, and where they come from."""

from collections.abc import Iterator, Sequence

from masklab.report import comparisons, load, numbers, text


def paragraphs(analysis: load.Analysis) -> list[str]:
    """Methods of all statistics that the analysis holds."""
    parts = (_counts(analysis), _tests(analysis), _function(analysis), _diversity(analysis), _rest(analysis))
    found = [" ".join(sentences) for part in parts if (sentences := list(part))]
    if analysis.results.without_pairs:
        found.append(f"Left out: {analysis.results.without_pairs}.")
    return found


def _counts(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    if results.stability:
        yield (
            "Stability is Nogueira's, per layer weighted by its size, from the number of masks that keep "
            "each weight: 0 for independent masks, 1 for equal ones. Its published asymptotic interval is "
            "too short for few masks, so it has a leave-one-mask-out jackknife interval, as every mean over "
            "pairs has: units are masks, never pairs, which share masks; the jackknife's variance is too "
            "large on average (conservative)."
        )
    if results.overlap:
        yield (
            "Observed ÷ expected divides intersections by their expectation for independent masks with the "
            "same kept counts per layer (hypergeometric); z is the distance from it in its standard "
            "deviations, and stands only beside these effect sizes."
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


def _tests(analysis: load.Analysis) -> Iterator[str]:
    kinds = {row.test for row in analysis.results.tests}
    if not kinds:
        return
    if "permanova" in kinds:
        yield (
            "PERMANOVA on √Hamming asks whether populations lie in different places, with sums of squares "
            "taken within draws of base weights and then added; R² is the share of the scatter that "
            "populations explain."
        )
    if "permdisp" in kinds:
        yield (
            "PERMDISP compares their distances to the centroid of population and draw: how far they spread. "
            "Its p is the larger of that of relabeling and that of the jackknife (over all populations "
            "Simes' p of the pairs), as relabeling alone rejects too often where a few members are outlying."
        )
    if "accuracy" in kinds:
        yield (
            "Accuracies are compared paired by member where seeds are equal; interval and p are the more "
            "cautious of t, Hall's t, which is corrected for skewness, and relabeling."
        )
    if kinds & {"stability against chance", "stability between populations"}:
        yield (
            "Stability is tested against chance by a two-sided z test with the exact variance, and between "
            "populations by the jackknife of the difference."
        )
    sampled = [row.permutations for row in analysis.results.tests if row.permutations is not None]
    if sampled:
        yield (
            "Labels of populations are exchanged only between members of equal seeds and equal base weights, "
            "as these are paired, or within draws of base weights where seeds are not known; "
            f"{text.span(sampled)} relabelings: all there are where these are few (p is then their exact "
            "share), else sampled with p = (1 + b) ÷ (1 + B). The smallest p that a test can give stands "
            "beside it."
        )
    yield "Adjusted p: Benjamini and Hochberg, within one kind of test over all pairs or populations."
    if analysis.results.clusters:
        yield (
            "Clusterings (average linkage cut at the number of populations, and HDBSCAN) are compared with "
            "labels by the adjusted Rand index, beside the same of random masks."
        )


def _function(analysis: load.Analysis) -> Iterator[str]:
    if not analysis.results.function:
        return
    yield (
        "Disagreement is the share of test images that two members class differently; it is also divided by "
        "the error, with independent errors and a relabelled better member as limits. κ, Yule's Q and double "
        "fault are of the same predictions; the Jensen–Shannon divergence is of their probabilities. "
        "Intervals are the jackknife's over masks, corrected for skewness; Q has none where it is −1 or 1 "
        "for more than a twentieth of the pairs, double fault none below five images a pair."
    )
    if analysis.results.ensembles:
        yield "Ensembles average probabilities, or vote; their gain is over their mean member."
    if any(row.test == comparisons.MANTEL for row in analysis.results.tests):
        yield (
            "Mantel correlations of mask distance with disagreement are taken within each population and "
            "draw of base weights and then combined, never over populations pooled; seeds are permuted, all "
            "members of a seed together. Intervals are the jackknife's on Fisher's scale."
        )


def _diversity(analysis: load.Analysis) -> Iterator[str]:
    metrics = {row.metric for row in analysis.results.diversity}
    if not metrics:
        return
    yield (
        "The Vendi score is the exponential of the entropy of the eigenvalues of the matrix of φ "
        "correlations between masks, an effective number of different masks; beside it stands that of as "
        "many random masks."
    )
    if analysis.results.rarefaction:
        yield "Rarefaction repeats it on random subsets; coverage is exact over all subsets."
    if _dimension(analysis):
        yield "Intrinsic dimensions: binary, from the histogram of Hamming distances, and TwoNN on √Hamming."


def _dimension(analysis: load.Analysis) -> bool:
    return any(
        row.metric.startswith("dimension") and row.estimate.value is not None
        for row in analysis.results.diversity
    )


def _rest(analysis: load.Analysis) -> Iterator[str]:
    drawn = [row for row in analysis.results.embeddings if row.points]
    if drawn:
        neighbors = text.span([row.quality.neighbors for row in drawn if row.quality])
        twins = text.span([row.null.n for row in drawn if row.null])
        yield (
            f"Embeddings are of √Hamming. Trustworthiness looks at {neighbors} neighbours; it is compared "
            f"with that of the same method on {twins} sets of random masks, p one-sided."
        )
        settings = [
            f"{text.embedding(row.method)} ({numbers.plain(row.parameters)})"
            for row in drawn
            if row.parameters
        ]
        if settings:
            yield f"Settings: {'; '.join(settings)}."
    if analysis.results.structure:
        yield (
            "Structure is averaged over members, with intervals that reach as far as t or Hall's t, which is "
            "corrected for skewness (of dead and disconnected weights with the upper end on the scale of "
            "logarithms); its chance levels are those of random masks that keep as "
            "many weights of each layer. Norms of kept and of pruned weights are of the base weights."
        )


def references(analyses: Sequence[load.Analysis]) -> list[text.Reference]:
    """Sources of the statistics that were used."""
    used = {key for analysis in analyses for key in _used(analysis)}
    return [reference for key, reference in _REFERENCES.items() if key in used]


def _used(analysis: load.Analysis) -> Iterator[str]:
    results = analysis.results
    tests = {row.test for row in results.tests}
    metrics = {row.metric for row in results.function}
    yield from tests & {"permanova", "permdisp", comparisons.MANTEL}
    if results.stability:
        yield from ("stability", "jackknife")
    if tests:
        yield "adjusted"
    if results.clusters:
        yield "clusters"
    if metrics & {"q_statistic", "double_fault"}:
        yield "classifiers"
    if "normalised_disagreement" in metrics:
        yield "disagreement"
    if results.diversity:
        yield "vendi"
    if results.rarefaction:
        yield "rarefaction"
    if _dimension(analysis):
        yield "dimension"
    if any(row.quality for row in results.embeddings):
        yield "trustworthiness"
    yield from {row.method for row in results.embeddings} & {"mds", "tsne"}


def _reference(name: str, rule: str, source: str) -> text.Reference:
    return text.Reference(name, "analysis", rule, text.link(source))


_REFERENCES = {
    "stability": _reference(
        "stability",
        "Agreement of several sets beyond chance.",
        "Nogueira, Sechidis & Brown, On the Stability of Feature Selection Algorithms, JMLR 18(174), 2018.",
    ),
    "jackknife": _reference(
        "jackknife",
        "Variance from leaving out one mask after the other.",
        "Efron & Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981 "
        "(doi:10.1214/aos/1176345462).",
    ),
    "permanova": _reference(
        "PERMANOVA",
        "Do populations lie in different places?",
        "Anderson, A new method for non-parametric multivariate analysis of variance, Austral Ecology 26, "
        "2001 (doi:10.1111/j.1442-9993.2001.01070.pp.x).",
    ),
    "permdisp": _reference(
        "PERMDISP",
        "Do populations spread equally?",
        "Anderson, Distance-based tests for homogeneity of multivariate dispersions, Biometrics 62, 2006 "
        "(doi:10.1111/j.1541-0420.2005.00440.x).",
    ),
    "adjusted": _reference(
        "adjusted p",
        "Expected share of false discoveries among those that are made.",
        "Benjamini & Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical "
        "Society B 57, 1995 (doi:10.1111/j.2517-6161.1995.tb02031.x).",
    ),
    "clusters": _reference(
        "clusterings",
        "Adjusted Rand index, and clusters by density.",
        "Hubert & Arabie, Comparing partitions, Journal of Classification 2, 1985 (doi:10.1007/BF01908075); "
        "Campello, Moulavi & Sander, Density-based clustering based on hierarchical density estimates, PAKDD "
        "2013.",
    ),
    comparisons.MANTEL: _reference(
        "Mantel test",
        "Correlation of two distance matrices.",
        "Mantel, The detection of disease clustering and a generalized regression approach, Cancer Research "
        "27, 1967.",
    ),
    "classifiers": _reference(
        "Q, double fault",
        "Diversity of classifiers.",
        "Kuncheva & Whitaker, Measures of diversity in classifier ensembles and their relationship with the "
        "ensemble accuracy, Machine Learning 51, 2003 (doi:10.1023/A:1022859003006).",
    ),
    "disagreement": _reference(
        "disagreement ÷ error",
        "Functional difference beside what errors alone give.",
        "Fort, Hu & Lakshminarayanan, Deep Ensembles: A Loss Landscape Perspective, 2019 (arXiv 1912.02757).",
    ),
    "vendi": _reference(
        "Vendi score",
        "Effective number of different masks.",
        "Friedman & Dieng, The Vendi Score: A Diversity Evaluation Metric for Machine Learning, TMLR 2023 "
        "(arXiv 2210.02410).",
    ),
    "rarefaction": _reference(
        "rarefaction",
        "What fewer masks would show.",
        "Hurlbert, The nonconcept of species diversity, Ecology 52, 1971 (doi:10.2307/1934145).",
    ),
    "dimension": _reference(
        "intrinsic dimension",
        "Number of coordinates that distances look like.",
        "Acevedo, Rodriguez & Laio, Unsupervised detection of semantic correlations in big data, "
        "Communications Physics 8, 2025; Facco, d'Errico, Rodriguez & Laio, Estimating the intrinsic "
        "dimension of datasets by a minimal neighborhood information, Scientific Reports 7, 2017 "
        "(doi:10.1038/s41598-017-11873-y).",
    ),
    "trustworthiness": _reference(
        "trustworthiness",
        "Whether near points are near masks.",
        "Venna & Kaski, Neighborhood preservation in nonlinear projection methods, ICANN 2001 "
        "(doi:10.1007/3-540-44668-0_68).",
    ),
    "mds": _reference(
        "MDS",
        "Points whose distances come closest to the given ones.",
        "De Leeuw & Mair, Multidimensional Scaling Using Majorization: SMACOF in R, Journal of Statistical "
        "Software 31(3), 2009 (doi:10.18637/jss.v031.i03).",
    ),
    "tsne": _reference(
        "t-SNE",
        "Layout in which near points are likely neighbours.",
        "van der Maaten & Hinton, Visualizing data using t-SNE, JMLR 9, 2008.",
    ),
}
