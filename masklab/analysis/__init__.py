"""Masks on disk → numbers; without torch.

`analyze` does it in one go. A caller that spreads the work over processes takes the same steps one by one:
`distances.measure`, then `embedding.pcoa` and `embedding.umap` on plain arrays, then `results.assemble` and
`results.write`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from masklab import archive as archives
from masklab.analysis import distances as distance_measures
from masklab.analysis import embedding, results

Row = dict[str, Any]


def analyze(
    archive: archives.Archive,
    *,
    landscape: Iterable[Row] = (),
    interpolation: Sequence[Mapping[str, Any]] = (),
    with_umap: bool = False,
    extra_warnings: Iterable[Row] = (),
) -> Row:
    """Measure, assemble and write the `analysis` folder of a study.

    Args:
        archive: The study's members.
        landscape: Rows of `masklab.landscape`.
        interpolation: Rows of `interpolation.csv`.
        with_umap: Add UMAP to the principal coordinates; importing it takes several seconds.
        extra_warnings: Warnings `{code, text, where}` of other stages.

    Returns:
        What was written to `results.json`.

    Raises:
        ArchiveError: No members are stored, or one is damaged, or the folder cannot be written.
    """
    distances = distance_measures.measure(archive)
    hamming = distances.hamming()
    embeddings = [embedding.pcoa(distances.ids, hamming)]
    if with_umap:
        embeddings.append(embedding.umap(distances.ids, hamming, archive.seed))
    found = results.assemble(
        archive, distances, embeddings=embeddings, landscape=landscape, extra_warnings=extra_warnings
    )
    results.write(archive.directory, found, distances, interpolation)
    return found
