"""Tests of masklab.analysis."""
