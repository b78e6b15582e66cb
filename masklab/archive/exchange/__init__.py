"""Masks of other tools in, and members out to them.

`imports` and `exports` hold one file per foreign format; the folders are the registries.
"""

from masklab.archive.exchange.content import Gates
from masklab.archive.exchange.exports import Outgoing
from masklab.archive.exchange.population import Request
from masklab.archive.exchange.study import Outcome, look, store

__all__ = ["Gates", "Outcome", "Outgoing", "Request", "look", "store"]
