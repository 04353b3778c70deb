from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from faceclust import Library
from tests.support.sample_photos import COLLINS, make_library

#: Variables that point to the user's folders, on all systems.
_HOME_VARIABLES = (
    *("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"),
    *("USERPROFILE", "APPDATA", "LOCALAPPDATA"),
)
_OWN_VARIABLES = ("FACECLUST_LIBRARY", "FACECLUST_CACHE_DIR", "FACECLUST_MODELS_URL")
_SESSION_HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Replace the user's home before collection.

    Fixtures of any scope and code at the top of test modules then use the temporary home.
    """
    config.stash[_SESSION_HOME] = folder = tempfile.TemporaryDirectory(prefix="faceclust-tests-home-")
    os.environ.update(dict.fromkeys(_HOME_VARIABLES, folder.name))
    for variable in _OWN_VARIABLES:
        os.environ.pop(variable, None)
    # No deadline: a busy machine is no fault of the code. Each run draws other examples, so that half of the usual
    # number is enough for a suite that runs often.
    hypothesis.settings.register_profile("faceclust", deadline=None, max_examples=50)
    hypothesis.settings.load_profile("faceclust")
    os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait for others must not take the cores of other tests


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_SESSION_HOME].cleanup()


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own empty home."""
    home = tmp_path_factory.mktemp("home")
    for variable in _HOME_VARIABLES:
        monkeypatch.setenv(variable, str(home))


@pytest.fixture
def _builder_on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the build code in models/ importable; it is not part of the package."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "models"))
    yield
    for name in [
        name
        for name in sys.modules
        if name.partition(".")[0] in ("packbuilder", "hatch_build", "npm_files", "web_scripts")
    ]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def truth_and_scanned_root(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], Path]:
    """The truth and the folder of a library, scanned and clustered once; tests get copies."""
    root = tmp_path_factory.mktemp("scanned") / "photos"
    truth = make_library(root)
    library = Library(root)
    library.scan(workers=0)
    library.cluster()
    return truth, root


@pytest.fixture
def truth(truth_and_scanned_root: tuple[dict[str, list[str]], Path]) -> dict[str, list[str]]:
    return truth_and_scanned_root[0]


@pytest.fixture
def library(truth_and_scanned_root: tuple[dict[str, list[str]], Path], tmp_path: Path) -> Library:
    """A copy of the library, scanned and clustered, for one test."""
    root = tmp_path / "photos"
    shutil.copytree(truth_and_scanned_root[1], root)
    return Library(root)


@pytest.fixture
def name_of_face(truth: dict[str, list[str]]) -> Callable[[Library], dict[str, str]]:
    """A function that maps each face id to its true person, by the order of faces in a photo."""

    def map_names(library: Library) -> dict[str, str]:
        by_photo: dict[str, list[str]] = {}
        for occurrence in sorted(library.occurrences, key=lambda occurrence: occurrence.box):
            by_photo.setdefault(occurrence.photo, []).append(occurrence.face_id)
        return {
            face: person for photo, faces in by_photo.items() for face, person in zip(faces, truth[photo], strict=True)
        }

    return map_names


@pytest.fixture
def collins(library: Library, name_of_face: Callable[[Library], dict[str, str]]) -> tuple[Library, int, set[str]]:
    """The library with the group number and the face ids of Eileen Collins."""
    faces = {face for face, person in name_of_face(library).items() if person == COLLINS}
    (group,) = {library.group_of[face] for face in faces}
    return library, group, faces
