"""`faceclust evaluate`: a file for each of its commands."""

from __future__ import annotations

import click


@click.group("evaluate")
def command() -> None:
    """Measure how good it is: on labelled photos, or on your own people.

    \b
    Examples:
    """
