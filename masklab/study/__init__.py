"""A study's configuration: read from TOML, validated, and never changed afterwards."""

from masklab.study.reading import apply, build, from_options, read, typed
from masklab.study.tables import (
    OVERRIDES,
    SEED_SOURCES,
    Analysis,
    DataSection,
    Head,
    NetworkSection,
    Population,
    Section,
    Seeds,
    Study,
    Training,
)

__all__ = [
    "OVERRIDES",
    "SEED_SOURCES",
    "Analysis",
    "DataSection",
    "Head",
    "NetworkSection",
    "Population",
    "Section",
    "Seeds",
    "Study",
    "Training",
    "apply",
    "build",
    "from_options",
    "read",
    "typed",
]
