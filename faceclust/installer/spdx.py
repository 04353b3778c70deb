"""Find out from an SPDX licence expression whether it allows commercial use."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseWithExceptionSymbol,
    get_license_index,
    get_spdx_licensing,
)

#: Categories of license-expression's index whose licences all allow commercial use.
_FREE_CATEGORIES = {"Permissive", "Public Domain", "Copyleft", "Copyleft Limited"}
_MAX_LENGTH = 300  # characters
_NON_COMMERCIAL = re.compile(r"-NC-|Noncommercial")


def allows_commercial_use(expression: str) -> bool | None:
    """Return whether the licence allows commercial use, None if unknown.

    `expression` is an SPDX expression in upper or lower case: "MIT", "Apache-2.0 AND CC-BY-NC-4.0".
    Other text is unknown.
    """
    if len(expression) > _MAX_LENGTH:
        return None
    try:
        parsed = get_spdx_licensing().parse(expression, validate=True)
    except (ExpressionError, ExpressionParseError):
        return None
    return None if parsed is None else _evaluate(parsed)


def combine_uses(*uses: bool | None) -> bool | None:
    """Return whether works under several licences at once allow commercial use: all have to."""
    return False if False in uses else None if None in uses else True


def _evaluate(node: Any) -> bool | None:
    """Evaluate a node of license-expression's tree."""
    if node.isliteral:
        symbol = node.license_symbol if isinstance(node, LicenseWithExceptionSymbol) else node
        return _allowed_uses().get(symbol.key)
    uses = [_evaluate(argument) for argument in node.args]
    if node.operator.strip() == "AND":
        return combine_uses(*uses)
    return True if True in uses else None if None in uses else False


@cache
def _allowed_uses() -> dict[str, bool]:
    """The SPDX identifiers whose allowed use is known."""
    uses = {}
    for entry in get_license_index():
        for key in (entry["spdx_license_key"], *entry["other_spdx_license_keys"]):
            if entry["category"] in _FREE_CATEGORIES:
                uses[key] = True
            elif key and _NON_COMMERCIAL.search(key):
                uses[key] = False
    return uses
