"""How differences between populations were tested, in sentences that cite their sources."""

from collections.abc import Iterator, Sequence

from masklab.report import load, records, sources, text

_RELABELLED = {"permanova", "permdisp", "accuracy"}
"""Tests that exchange labels of populations."""


def sentences(analysis: load.Analysis) -> Iterator[str]:
    """Methods of the tests that have a p value, and of clusterings."""
    tests = [row for row in analysis.results.tests if row.p is not None]
    kinds = {row.test for row in tests}
    if "permanova" in kinds:
        yield (
            f"PERMANOVA {sources.cite('anderson2001permanova')} on √Hamming asks whether populations lie in "
            "different places, with sums of squares taken within draws of base weights and then added; R² is "
            "the share of the scatter that populations explain."
        )
    if "permdisp" in kinds:
        yield from _dispersions(tests)
    if "accuracy" in kinds:
        yield from _accuracies([row for row in tests if row.test == "accuracy"])
    if "stability-against-chance" in kinds:
        yield (
            "Stability is tested against chance by a two-sided z with its exact variance (normal "
            "approximation)."
        )
    if "stability" in kinds:
        yield "Stabilities of two populations are compared by the jackknife of their difference, with t."
    yield from _relabelled([row for row in tests if row.test in _RELABELLED and row.permutations])
    if any(row.adjusted_p is not None for row in tests):
        yield (
            f"Adjusted p: Benjamini and Hochberg {sources.cite('benjamini1995false')}, within one kind of "
            "test over all pairs of populations, or over all populations; tests of all populations together "
            "stand by themselves."
        )
    yield from _clusters(analysis.results.clusters)


def _dispersions(tests: Sequence[records.Test]) -> Iterator[str]:
    yield (
        f"PERMDISP {sources.cite('anderson2006dispersions')} compares distances (√Hamming) to the centroid "
        "of population and draw: how far populations spread. Distances in groups of n are multiplied by "
        "√(n ÷ (n − 1)), and their deviations by (n − 1) ÷ (n − 2) before labels are exchanged "
        f"{sources.cite('oneill2000levene')}. Its p is the larger of that of relabeling and that of the "
        "jackknife's t, as relabeling alone rejects too often where a few members are outlying."
    )
    if any(row.test == "permdisp" and row.b is None for row in tests):
        yield (
            "Over all populations the jackknife's is Simes' p of the pairs "
            f"{sources.cite('simes1986bonferroni')}."
        )


def _accuracies(tests: Sequence[records.Test]) -> Iterator[str]:
    welch = [row for row in tests if "Welch" in row.method]
    if len(welch) < len(tests):
        yield (
            "Mean accuracies are compared paired by member, those of equal seeds being exchanged "
            f"{sources.cite('fisher1935design')}."
        )
    if welch:
        yield (
            "Mean accuracies of populations whose seeds are not known are compared as independent samples, "
            f"by relabeling Welch's t {sources.cite('welch1947generalization')}."
        )
    yield (
        "p of a difference of accuracy is the largest of those of relabeling, of t, and of Hall's t, which "
        f"is corrected for skewness {sources.cite('hall1992skewness')}; its interval reaches as far as "
        "either t."
    )


def _relabelled(tests: Sequence[records.Test]) -> Iterator[str]:
    if not tests:
        return
    whole = "all that there are, p being their exact share"
    drawn = f"a random sample with p = (1 + b) ÷ (1 + B) {sources.cite('phipson2010permutation')}"
    if all(row.exact for row in tests):
        how = whole
    elif any(row.exact for row in tests):
        how = f"{whole}, or, where these are more, {drawn}"
    else:
        how = drawn
    yield (
        "Labels of populations are exchanged only between members of equal seeds and equal base weights, as "
        "these are paired, or within draws of base weights where seeds are not known; "
        f"{text.counted([row.permutations or 0 for row in tests], 'relabeling')}: {how}. The smallest p that "
        "a test can give stands beside it."
    )


def _clusters(rows: Sequence[records.Cluster]) -> Iterator[str]:
    methods = {row.method for row in rows if row.quantity}
    if "average-linkage" in methods:
        yield (
            "Masks are clustered by average linkage on √Hamming, cut at the number of populations, with the "
            f"cophenetic correlation as its quality {sources.cite('sokal1962dendrograms')}."
        )
    if "hdbscan" in methods:
        least = [row.parameters.get("min_cluster_size") for row in rows if row.method == "hdbscan"]
        size = f", clusters of {least[0]} members at least" if isinstance(least[0], int) else ""
        yield f"HDBSCAN {sources.cite('campello2013density')} finds their number itself{size}."
    if methods:
        yield (
            "Clusters are compared with labels by the adjusted Rand index "
            f"{sources.cite('hubert1985partitions')}, beside the same of random masks."
        )
