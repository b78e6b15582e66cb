"""Stored members: codec, container, member file, directory."""

from masklab.archive.directory import Archive
from masklab.archive.encoding import Content
from masklab.archive.member import Layer, Member, Recipe

__all__ = ["Archive", "Content", "Layer", "Member", "Recipe"]
