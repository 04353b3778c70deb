"""Check the accessibility of the page in a browser with axe-core (MPL-2.0), which npm fetches for the tests."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from selenium import webdriver

_REPOSITORY = Path(__file__).parents[2]
#: Git ignores this folder; it saves later runs the download.
_STORE = _REPOSITORY / ".pytest_cache" / "axe"
_VERSION, _PATH = "4.14.1", "axe.min.js"
_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
#: WCAG 2.2, level AA, and the good practice of axe-core.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def find_violations(driver: webdriver.Chrome) -> list[str]:
    """Return the violations on the page that is shown, each with the elements concerned.

    The browser's debugger runs axe-core, so the content security policy of the page stays in force.
    """
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": _read_axe()})
    done = driver.execute_cdp_cmd(
        "Runtime.evaluate",
        {
            "expression": f"axe.run({{runOnly: {_RULES}, resultTypes: ['violations']}})",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    violations: list[dict[str, Any]] = done["result"]["value"]["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:200]}; {node['failureSummary'][:300]}"
        for violation in violations
        for node in violation["nodes"]
    ]


@cache
def _read_axe() -> str:
    file = _STORE / f"{_SHA256}.js"
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        npm_files = _load_npm_files()
        (content,) = npm_files.fetch_npm_files([npm_files.NpmFile("axe-core", _VERSION, _PATH, _SHA256)])
        _STORE.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{id(content):x}")
        temporary.write_bytes(content)
        temporary.replace(file)
    return file.read_text(encoding="utf-8")


def _load_npm_files() -> ModuleType:
    """The module in models/, which is no package."""
    spec = importlib.util.spec_from_file_location("npm_files_of_tests", _REPOSITORY / "models" / "npm_files.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module
