"""Figures over the populations of all studies, one file each; the folder is the registry."""

import importlib
import pkgutil
from functools import cache

from masklab.report.together.plan import Plan


@cache
def plans() -> dict[str, Plan]:
    """Every figure by the name of its file, in the order of the page."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    found = {name: importlib.import_module(f"{__name__}.{name}").PLAN for name in names}
    return dict(sorted(found.items(), key=lambda own: (own[1].place, own[0])))
