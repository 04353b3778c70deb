"""The version of the package: the one place that Python code takes it from."""

__version__ = "0.1.0"
