"""The package and `Library` are usable from `dir`, `help` and `repr`, and import quickly."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import faceclust
from faceclust import Library
from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import FaceclustError
from faceclust.library.identification import verify
from tests.support.sample_photos import COLLINS

PUBLIC_NAMES = [name for name in dir(Library) if not name.startswith("_")]


def test_dir_lists_the_public_names_of_the_package_only() -> None:
    names = ["DaskOptions", "Face", "FaceAnalyser", "FaceclustError", "Library", "__version__", "group", "verify"]
    assert dir(faceclust) == names == sorted(faceclust.__all__)
    assert all(hasattr(faceclust, name) and inspect.getdoc(getattr(faceclust, name)) for name in names)


def test_the_package_imports_its_names_when_they_are_used() -> None:
    assert faceclust.Library is Library and faceclust.FaceclustError is FaceclustError and faceclust.verify is verify
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        faceclust.nothing  # noqa: B018


def test_help_of_the_package_shows_its_classes_and_functions() -> None:
    text = pydoc.plain(pydoc.render_doc(faceclust))
    assert "class Library" in text and "class FaceclustError" in text and "verify(a: " in text
    assert "class FaceAnalyser" in text and "group(embeddings: " in text
    assert "__getattr__" not in text and "__dir__" not in text


def test_help_of_the_library_shows_one_class_over_the_catalogue() -> None:
    text = pydoc.plain(pydoc.render_doc(Library))
    assert Library.__mro__ == (Library, Catalogue, object)
    assert 'library = Library("~/Pictures")' in text
    assert "scan(library: 'Catalogue', folders: " in text and "Find the faces on new and changed photos" in text


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_every_public_name_of_the_library_is_documented_and_typed(name: str) -> None:
    value = inspect.getattr_static(Library, name)
    assert inspect.getdoc(value), name
    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    signature = inspect.signature(function)
    first, *parameters = signature.parameters.values()
    assert first.name in ("self", "cls", "library")
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters)
    assert signature.return_annotation is not inspect.Signature.empty


def test_the_verbs_are_plain_functions_of_the_catalogue() -> None:
    verbs = {name: value for name, value in vars(Library).items() if inspect.isfunction(value)}
    assert len(verbs) > 35
    for name, verb in verbs.items():
        assert verb.__name__ == name and verb.__module__.startswith("faceclust.library.")
        assert next(iter(inspect.signature(verb).parameters.values())).annotation == "Catalogue"


def test_repr_shows_what_is_known_without_reading_the_caches(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the caches were read")

    with monkeypatch.context() as patch:
        patch.setattr("faceclust.catalogue.stored_faces.StoredFaces._read_table", refuse)
        assert repr(library) == f"<Library {library.root}: 11 photos, 12 faces, 2 groups; pack {library.pack_name}>"
    library.name(library.faces_in_group(1), COLLINS)
    assert repr(library) == f"<Library {library.root}: 11 photos, 12 faces, 2 groups; pack {library.pack_name}>"


def test_repr_never_fails(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert repr(library) == f"<Library {tmp_path}: nothing scanned; pack {library.pack_name}>"
    assert repr(Library(tmp_path, pack="missing")) == f"<Library {tmp_path}: nothing scanned; pack missing>"
    library.home.create()
    library.home.clusters.write_bytes(b"damaged")
    (library.home.home / "config.toml").write_text("pack = ")
    assert repr(library) == f"<Library {tmp_path}: nothing scanned>"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("faceclust", {"numpy", "pyarrow", "PIL", "click"}),
        ("faceclust.scan.unchanged", {"numpy", "pyarrow", "PIL", "onnxruntime", "click"}),
        ("faceclust.library.library", {"onnxruntime", "sklearn", "scipy", "hdbscan", "openTSNE", "click", "rich"}),
    ],
)
def test_importing_loads_nothing_heavy(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not heavy.intersection(loaded)
