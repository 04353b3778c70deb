"""SPDX expressions say whether commercial use is allowed."""

from __future__ import annotations

import pytest

from faceclust.installer.spdx import allows_commercial_use


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        *((name, True) for name in ("mit", "APACHE-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "CC0-1.0")),
        *((name, True) for name in ("Unlicense", "Zlib", "MPL-2.0", "CC-BY-4.0", "GPL-3.0-or-later", "GPL-2.0")),
        *((name, False) for name in ("CC-BY-NC-4.0", "cc-by-nc-sa-4.0", "PolyForm-Noncommercial-1.0.0")),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT and (Apache-2.0 OR cc-by-nc-4.0)", True),
        ("MIT AND CC-BY-NC-4.0", False),
        ("CC-BY-NC-4.0 AND BUSL-1.1", False),
        ("MIT AND BUSL-1.1", None),
        ("CC-BY-NC-4.0 OR BUSL-1.1", None),
        *((text, None) for text in ("", "not known", "Apache 2.0", "MIT (detector)", "MIT OR", "Nobody-1")),
        ("(" * 5_000 + "MIT" + ")" * 5_000, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_allowed_use(expression: str, allowed: bool | None) -> None:
    assert allows_commercial_use(expression) is allowed
