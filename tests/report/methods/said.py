"""What the methods say of results that were changed."""

from pathlib import Path
from typing import Any

from masklab.report import load, methods

from .. import builder


def of(folder: Path, results: dict[str, Any]) -> dict[str, str]:
    """Text of every paragraph, by its title."""
    builder.rewrite(folder, results)
    found = methods.methods(load.read(folder))
    titles = [paragraph.title for paragraph in found]
    assert len(set(titles)) == len(titles)
    return {paragraph.title: paragraph.text for paragraph in found}
