"""The layers of the package: each folder imports only from the folders below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "faceclust"
#: Modules that every module may import.
BASE = {"errors", "progress", "text", "version"}
#: Other folders that each folder may import, lowest first. Every folder has a row.
ALLOWED: dict[str, set[str]] = {
    **{name: set() for name in sorted(BASE)},
    "files": set(),
    "types": {"files"},
    "xmp": {"types"},
    "people": {"files", "types"},
    "cluster": {"types"},
    "store": {"files", "types"},
    "photos": {"files", "types"},
    "packs": {"files", "types"},
    "outputs": {"files", "types", "xmp"},
    "vision": {"packs", "types"},
    "importers": {"files", "people", "photos", "types", "xmp"},
    "catalogue": {"cluster", "files", "packs", "people", "store", "types"},
    "scan": {"cluster", "files", "packs", "photos", "store", "types", "vision", "xmp"},
    "evaluation": {
        *("catalogue", "cluster", "files", "importers", "packs", "people", "photos", "scan", "store", "types"),
        *("vision",),
    },
    "installer": {"files", "packs", "types", "vision"},
    "training": {
        *("cluster", "evaluation", "files", "installer", "packs", "photos", "scan", "store", "types", "vision"),
    },
    "engines": {"cluster", "files", "packs", "photos", "scan", "types"},
    "watch": {"files", "scan"},
    "library": {
        *("catalogue", "cluster", "engines", "evaluation", "files", "importers", "outputs", "packs", "people"),
        *("photos", "scan", "store", "types", "watch"),
    },
    "interview": {"library", "outputs", "people", "types"},
    "web": {"files", "interview", "library", "outputs", "people", "photos", "scan", "store", "types"},
    "__init__": {"engines", "library", "types"},
    "cli": {
        *("catalogue", "cluster", "engines", "evaluation", "files", "importers", "installer", "interview", "library"),
        *("outputs", "packs", "people", "scan", "store", "training", "types", "web"),
    },
    "__main__": {"cli"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def list_imports(path: Path) -> list[tuple[str, ast.stmt]]:
    """Return (module, statement) for each import, anywhere in the file."""
    imports = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"faceclust.{alias.name}" for alias in node.names] if node.module == "faceclust" else [node.module]
            imports += [(name, node) for name in names]
        elif isinstance(node, ast.Import):
            imports += [(alias.name, node) for alias in node.names]
    return imports


def list_imported_folders(path: Path) -> set[str]:
    """Return the other folders and top-level modules that a module imports from."""
    return {name.split(".")[1] for name, _ in list_imports(path) if name.startswith("faceclust.")} - {find_folder(path)}


def find_folder(path: Path) -> str:
    """Return the folder or the top-level module that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_from_allowed_folders(path: Path) -> None:
    folder, imports = find_folder(path), list_imported_folders(path)
    allowed = ALLOWED[folder] if folder in BASE else ALLOWED[folder] | BASE
    assert imports <= allowed, f"{folder} may not import {imports - allowed}"


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_row_names_only_what_the_folder_imports(folder: str) -> None:
    used = set().union(*(list_imported_folders(path) for path in MODULES if find_folder(path) == folder))
    assert ALLOWED[folder] <= used, f"{folder} does not import {ALLOWED[folder] - used}"


def test_every_folder_has_a_row_and_top_level_modules_are_few() -> None:
    assert {find_folder(path) for path in MODULES} == ALLOWED.keys()
    top_level = {path.stem for path in PACKAGE.glob("*.py")}
    assert top_level == {"__init__", "__main__", "errors", "progress", "version"}


def test_rows_name_only_lower_layers() -> None:
    """A row names only rows above itself in the table, so that import cycles are impossible."""
    lower: set[str] = set()
    for folder, allowed in ALLOWED.items():
        assert allowed <= lower, f"{folder} imports upwards: {allowed - lower}"
        lower.add(folder)


def test_only_one_module_imports_onnxruntime() -> None:
    users = [path for path in MODULES if any(name.partition(".")[0] == "onnxruntime" for name, _ in list_imports(path))]
    assert users == [PACKAGE / "packs" / "session.py"]


def test_only_training_imports_torch() -> None:
    users = {
        find_folder(path) for path in MODULES if {name.partition(".")[0] for name, _ in list_imports(path)} & TORCH
    }
    assert users == {"training"}


#: What the extra `train` brings: too heavy for any other command.
TORCH = {"onnxscript", "torch"}

#: Modules that can open a connection, or import one that can.
NETWORK = {
    *("aiohttp", "anyio", "asyncio", "dask", "distributed", "ftplib", "h11", "http", "httpcore", "httpx", "imaplib"),
    *(
        "poplib",
        "requests",
        "smtplib",
        "socket",
        "socketserver",
        "ssl",
        "starlette",
        "telnetlib",
        "urllib.request",
        "urllib3",
    ),
    *("uvicorn", "watchfiles", "webbrowser", "websockets", "xmlrpc"),
}
#: What the page of `label --web` needs to serve this machine. None of them fetches anything by itself.
SERVER = {"asyncio", "h11", "socket", "starlette", "uvicorn", "webbrowser"}
#: What `--dask` needs to connect to a cluster.
CLUSTER = {"asyncio", "dask", "distributed", "socket"}


def list_network_imports(path: Path) -> set[str]:
    """Return the modules of `NETWORK` that a module imports."""
    names = {name for name, _ in list_imports(path)}
    return {module for module in NETWORK if any(f"{name}.".startswith(f"{module}.") for name in names)}


def test_few_modules_can_use_the_network() -> None:
    users = {path: found for path in MODULES if (found := list_network_imports(path))}
    used: dict[str, set[str]] = {}
    for path, found in users.items():
        parts = path.relative_to(PACKAGE).parts
        place = "/".join(parts[:2]) if parts[0] in ("engines", "installer") else parts[0]
        used[place] = used.get(place, set()) | found
    assert used == {"engines/dask": CLUSTER, "installer/download.py": {"httpx"}, "watch": {"watchfiles"}, "web": SERVER}
    assert not any(name == "urllib" for path in MODULES for name, _ in list_imports(path))


def test_the_page_opens_one_socket_on_this_machine_only() -> None:
    """It is bound to LOOPBACK. Nothing connects."""
    calls = {
        "bind",
        "connect",
        "connect_ex",
        "create_connection",
        "create_server",
        "listen",
        "open_connection",
        "socket",
    }
    found = []
    for path in MODULES:
        if find_folder(path) == "web":
            nodes = [
                node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
            ]
            found += [(path.name, ast.unparse(node)) for node in nodes if _called_name(node) in calls]
    assert sorted(found) == [
        ("server.py", "listen(port)"),
        ("server.py", "listener.bind((LOOPBACK, port))"),
        ("server.py", "listener.listen()"),
        ("server.py", "socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)"),
    ]


def _called_name(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def test_only_label_loads_the_page_and_only_for_its_option() -> None:
    users = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_the_top = {id(node) for node in tree.body}
        for name, node in list_imports(path):
            if name.startswith("faceclust.web") and find_folder(path) != "web":
                users.append(
                    (path.relative_to(PACKAGE).as_posix(), name, "top") if id(node) in at_the_top else path.stem
                )
    assert users == ["label"]


#: What writes to the terminal or reads from it, and the modules that may use it. Text from outside is made visible in
#: `printing`. The label screen, the progress bar and tables draw with rich; the manual is our own text.
TERMINAL = {
    **{f"click.{name}": {"printing"} for name in ("echo", "secho", "style", "prompt", "confirm", "pause", "edit")},
    "click.echo_via_pager": {"help"},
    "Console": {"help", "label_screen", "progress_bar", "table"},
    "PromptSession": {"label_screen"},
    "print": set(),
    "input": set(),
    "sys.stdout": {"__init__", "histogram", "printing"},  # flushed at the end; its encoding is asked for
    "sys.stderr": {"__init__", "progress"},
    "warnings.warn": set(),
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_text_reaches_the_terminal_through_one_module(path: Path) -> None:
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            used |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            used.add(node.func.id)
    forbidden = {name for name in used & TERMINAL.keys() if path.stem not in TERMINAL[name]}
    assert not forbidden, f"{forbidden}: use faceclust.cli.terminal.printing"


def test_only_models_pull_can_download() -> None:
    users_of: dict[str, set[str]] = {"download": set(), "pull": set()}
    for path in MODULES:
        for name, node in list_imports(path):
            for module, users in users_of.items():
                from_installer = name == "faceclust.installer" and any(alias.name == module for alias in node.names)
                if name == f"faceclust.installer.{module}" or from_installer:
                    users.add(path.relative_to(PACKAGE).as_posix())
    assert users_of == {"download": {"installer/pull.py"}, "pull": {"cli/models/pull.py"}}


def test_library_code_does_not_print_or_exit_or_ask() -> None:
    for path in MODULES:
        if find_folder(path) in ("cli", "__main__"):
            continue
        names = {name.partition(".")[0] for name, _ in list_imports(path)}
        assert not names & {"click", "rich", "prompt_toolkit", "textual_image"}, path
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        called = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        assert not called & {"print", "exit", "input"}, path


def test_modules_stay_small() -> None:
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in MODULES}
    assert max(lengths.values()) <= 400, max(lengths, key=lambda name: lengths[name])


def test_raw_file_extensions_are_listed_once() -> None:
    """A second list would be forgotten if an extension is added."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in MODULES}
    assert [name for name, text in texts.items() if ".orf" in text] == ["files/names.py"]


#: Parsers whose settings or limits matter for hostile files, and the only modules that call them.
GUARDED_PARSERS = {
    "etree.XMLParser": {"xmp/safe_xml.py"},
    "etree.fromstring": {"xmp/safe_xml.py"},
    "etree.parse": set(),
    "exifread.process_file": {"photos/metadata.py"},
    "np.load": set(),
    "pickle.load": set(),
    "sqlite3.connect": {"importers/sqlite_file.py", "outputs/face_table.py"},  # the latter in memory
    "tomllib.load": set(),
    "tomllib.loads": {"text/toml_text.py"},
}


def test_parsers_with_limits_are_called_in_one_place() -> None:
    users: dict[str, set[str]] = {name: set() for name in GUARDED_PARSERS}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in users:
                users[name].add(path.relative_to(PACKAGE).as_posix())
    assert users == GUARDED_PARSERS


def test_pillow_opens_only_the_formats_that_are_expected() -> None:
    """Without that, the content of a file would choose one of forty decoders."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                assert "formats" in {keyword.arg for keyword in node.keywords}, path
