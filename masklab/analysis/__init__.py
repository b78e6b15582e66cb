"""Masks on disk → numbers; without torch.

`analyze` does it in one go. A caller that spreads the work over processes takes the same steps one by one:
`sections.gather`, `sections.measure` and, on plain arrays, `embeddings.embed`; then `results.assemble` and
`results.write`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from masklab import archive as archives
from masklab.analysis import embeddings, results, sections, tiles

Row = dict[str, Any]


def analyze(
    archive: archives.Archive,
    *,
    landscape: Mapping[str, Any] | None = None,
    points: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    methods: Sequence[str] = ("pcoa",),
    memory: int = tiles.MEMORY,
    extra_warnings: Iterable[Row] = (),
) -> Row:
    """Measure, assemble and write the `analysis` folder of a study.

    Args:
        archive: The study's members.
        landscape: Rows of `masklab.landscape` by key of `results.json`.
        points: Rows of its further tables.
        methods: Which embeddings; importing that of UMAP takes several seconds.
        memory: Bytes to use.
        extra_warnings: Warnings `{code, text, where}` of other stages.

    Returns:
        What was written to `results.json`.

    Raises:
        ArchiveError: No members are stored, or one is damaged, or the folder cannot be written.
        ConfigError: The memory is too little, or a method is unknown.
    """
    material = sections.gather(archive, memory=memory)
    drawn = [embeddings.embed(*arguments) for arguments in sections.to_embed(material, methods)]
    found = sections.measure(material)
    document = results.assemble(
        material,
        found,
        embeddings=drawn,
        landscape=landscape,
        extra_warnings=[*embeddings.warnings(drawn), *extra_warnings],
    )
    results.write(archive.directory, document, material, found, points)
    return document
