"""Imports run one way only: the folders spell the flow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "faceclust"
BASE = {"conventions", "types", "errors", "progress"}
ALLOWED = {
    "conventions": set(),
    "types": {"conventions"},
    "errors": set(),
    "progress": set(),
    "packs": BASE,
    "vision": BASE | {"packs"},
    "photos": BASE | {"packs", "vision"},
    "store": BASE,
    "cluster": BASE,
    "people": BASE | {"__version__"},
    "xmp": BASE,
    "foreign": BASE | {"people", "photos", "xmp"},
    "outputs": BASE | {"xmp"},
    "evaluation": BASE,
    "scan": BASE | {"__version__", "packs", "photos", "store"},
}
CONDUCTORS = {
    "__init__",
    "__main__",
    "adding",
    "answers",
    "carried",
    "catalogue",
    "checkup",
    "cli",
    "doubts",
    "forget",
    "importing",
    "in_use",
    "interview",
    "library",
    "measure",
    "measuring",
    "pages",
    "recognition",
    "regroup",
    "searches",
    "sharing",
    "single",
    "switching",
    "upkeep",
    "watch",
    "wishes",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> list[tuple[str, ast.stmt]]:
    """(module, the statement) for each import, anywhere in the file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"faceclust.{alias.name}" for alias in node.names] if node.module == "faceclust" else [node.module]
            found += [(name, node) for name in names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
    return found


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_its_folder_may(path: Path) -> None:
    own = part(path)
    inside = {name.split(".")[1] for name, _ in imported(path) if name.startswith("faceclust.")} - {own}
    if own in CONDUCTORS:
        assert own == "cli" or "cli" not in inside or own in ("__main__",)
    else:
        assert inside <= ALLOWED[own], f"{own} may not import {inside - ALLOWED[own]}"


def test_every_folder_is_in_the_rules() -> None:
    assert {part(path) for path in MODULES} == ALLOWED.keys() | CONDUCTORS


def test_only_one_module_runs_models() -> None:
    users = [path for path in MODULES if any(name.partition(".")[0] == "onnxruntime" for name, _ in imported(path))]
    assert users == [PACKAGE / "packs" / "session.py"]


#: What can open a connection, or brings something that can.
NETWORK = {
    *("aiohttp", "asyncio", "ftplib", "http", "httpcore", "httpx", "imaplib", "poplib"),
    *("requests", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib.request", "urllib3", "webbrowser"),
    *("websockets", "xmlrpc"),
}


def test_only_one_module_can_use_the_network() -> None:
    def reaches(name: str) -> bool:
        return any(name == known or name.startswith(f"{known}.") for known in NETWORK)

    users = [path for path in MODULES if any(reaches(name) for name, _ in imported(path))]
    assert users == [PACKAGE / "packs" / "download.py"]
    assert not any(name == "urllib" for path in MODULES for name, _ in imported(path))


def test_downloads_are_for_pulling_only() -> None:
    by = {"download": set(), "pulling": set()}
    for path in MODULES:
        for name, node in imported(path):
            for module, users in by.items():
                from_packs = name == "faceclust.packs" and any(one.name == module for one in node.names)
                if name == f"faceclust.packs.{module}" or from_packs:
                    users.add(path.relative_to(PACKAGE).as_posix())
    assert by == {"download": {"packs/pulling.py"}, "pulling": {"cli/models/pull.py"}}


def test_library_code_has_no_command_line_in_it() -> None:
    for path in MODULES:
        if part(path) in ("cli", "__main__"):
            continue
        names = {name.partition(".")[0] for name, _ in imported(path)}
        assert not names & {"click", "rich", "prompt_toolkit", "textual_image"}, path
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        called = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        assert not called & {"print", "exit", "input"}, path


def test_modules_stay_small() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in MODULES}
    assert max(lengths.values()) <= 300, max(lengths, key=lambda name: lengths[name])


def test_the_endings_of_raw_files_stand_in_one_place() -> None:
    """A list of its own would be forgotten where another is added to."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in MODULES}
    assert [name for name, text in texts.items() if ".orf" in text] == ["conventions.py"]
