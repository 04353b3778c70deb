"""Helpers of the tests: sample photos, builders, programs to measure against."""
