"""Imports run downwards only, and the folders spell the flow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "faceclust"
#: What every module may import.
BASE = {"errors", "progress", "text", "version"}
#: What else each folder may import, lowest first. Every folder has a row, and none is exempt.
ALLOWED: dict[str, set[str]] = {
    **{name: set() for name in sorted(BASE)},
    "files": set(),
    "types": {"files"},
    "xmp": {"types"},
    "people": {"types"},
    "cluster": {"types"},
    "store": {"files", "types"},
    "photos": {"types"},
    "packs": {"files", "types"},
    "outputs": {"files", "types", "xmp"},
    "vision": {"packs", "types"},
    "importers": {"files", "people", "photos", "types", "xmp"},
    "catalogue": {"cluster", "files", "packs", "people", "store", "types"},
    "scan": {"files", "packs", "photos", "store", "types", "vision"},
    "evaluation": {
        *("catalogue", "cluster", "files", "importers", "packs", "people", "photos", "scan", "store", "types"),
        *("vision",),
    },
    "installer": {"files", "packs", "types", "vision"},
    "library": {
        *("catalogue", "cluster", "evaluation", "files", "importers", "outputs", "packs", "people", "photos"),
        *("scan", "store", "types"),
    },
    "interview": {"library", "outputs", "people", "types"},
    "__init__": {"library"},
    "cli": {
        *("catalogue", "cluster", "evaluation", "files", "importers", "installer", "interview", "library"),
        *("outputs", "packs", "people", "scan", "store", "types"),
    },
    "__main__": {"cli"},
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


def folders_imported(path: Path) -> set[str]:
    """The other folders, and modules beside them, that a module imports from."""
    return {name.split(".")[1] for name, _ in imported(path) if name.startswith("faceclust.")} - {part(path)}


def part(path: Path) -> str:
    """The folder, or the module beside the folders, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_its_folder_may(path: Path) -> None:
    own = part(path)
    allowed = ALLOWED[own] if own in BASE else ALLOWED[own] | BASE
    assert folders_imported(path) <= allowed, f"{own} may not import {folders_imported(path) - allowed}"


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_row_names_only_what_the_folder_imports(folder: str) -> None:
    used = set().union(*(folders_imported(path) for path in MODULES if part(path) == folder))
    assert ALLOWED[folder] <= used, f"{folder} does not import {ALLOWED[folder] - used}"


def test_every_folder_has_a_row_and_no_module_is_loose() -> None:
    assert {part(path) for path in MODULES} == ALLOWED.keys()
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__", "__main__", "errors", "progress", "version"}


def test_the_rows_run_downwards() -> None:
    """A row names only rows above itself in the table, so that no circle can be written down."""
    known: set[str] = set()
    for folder, may in ALLOWED.items():
        assert may <= known, f"{folder} imports upwards: {may - known}"
        known.add(folder)


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
    assert users == [PACKAGE / "installer" / "download.py"]
    assert not any(name == "urllib" for path in MODULES for name, _ in imported(path))


def test_downloads_are_for_pulling_only() -> None:
    by: dict[str, set[str]] = {"download": set(), "pull": set()}
    for path in MODULES:
        for name, node in imported(path):
            for module, users in by.items():
                from_installer = name == "faceclust.installer" and any(one.name == module for one in node.names)
                if name == f"faceclust.installer.{module}" or from_installer:
                    users.add(path.relative_to(PACKAGE).as_posix())
    assert by == {"download": {"installer/pull.py"}, "pull": {"cli/models/pull.py"}}


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
    assert max(lengths.values()) <= 400, max(lengths, key=lambda name: lengths[name])


def test_the_extensions_of_raw_files_have_one_home() -> None:
    """A second list would be forgotten when an extension is added."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in MODULES}
    assert [name for name, text in texts.items() if ".orf" in text] == ["files/names.py"]
