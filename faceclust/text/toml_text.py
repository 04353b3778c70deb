"""Parse TOML that may be hostile."""

from __future__ import annotations

import tomllib
from typing import Any

#: Dots in a line. tomllib takes quadratic time for keys such as a.b.c: an hour for one of 1 MB.
_MAX_DOTS = 100


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML in a time that is linear in its size. Raises ValueError if it is not valid."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MAX_DOTS:
            raise ValueError(f"line {number} has more than {_MAX_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
