"""Evaluations: cases, each a run of its own, and whether it went as it should."""
