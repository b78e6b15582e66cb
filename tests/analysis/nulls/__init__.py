"""Tests of masklab.analysis.nulls."""
