"""Accuracy on the paths between members."""
