"""Embeddings of large libraries in mapped files: the same faces as in memory, and no file stays."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import CacheError
from faceclust.files.names import PRECISIONS
from faceclust.library import grouping
from faceclust.store import spilled_embeddings
from faceclust.store.home_files import is_home_file
from faceclust.store.library_table import LibraryTable
from faceclust.store.schema import photos_to_table
from faceclust.store.spilled_embeddings import SpilledEmbeddings
from faceclust.types import FaceTable, PhotoRef
from tests.store.test_precision import make_cache_info
from tests.store.test_store import make_scanned_photo
from tests.support.named_library import make_synthetic_library, name_largest_people

ORDERS = [order for count in (0, 1, 2, 3) for order in itertools.permutations(PRECISIONS, count)]


def assert_same_faces(found: FaceTable, expected: FaceTable) -> None:
    for name in FaceTable.__dataclass_fields__:
        one, other = getattr(found, name), getattr(expected, name)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), name


@pytest.mark.parametrize("limit", [0, 200, 1 << 27])
def test_faces_are_byte_equal_to_those_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(spilled_embeddings, "_MAX_BYTES_IN_MEMORY", limit)
    monkeypatch.setattr(spilled_embeddings, "_CHUNK", 3)
    for order in ORDERS:
        folders = [
            (precision, photos_to_table([make_scanned_photo(PhotoRef(f"{k}.jpg", 1, 1), 4, k)], info))
            for k, precision in enumerate(order)
            for info in (make_cache_info(precision),)
        ]
        expected = LibraryTable.from_folders(folders, make_cache_info("int8")).face_table()
        with SpilledEmbeddings(tmp_path, make_cache_info("int8")) as spilled:
            table = LibraryTable.spill_embeddings(iter(folders), make_cache_info("int8"), spilled)
            found = table.face_table()
            assert_same_faces(found, expected)
            gathered = spilled.gather(found.embeddings, np.arange(0, len(found), 2))
            assert gathered.tobytes() == expected.embeddings[::2].tobytes()
            assert isinstance(found.embeddings, np.memmap) == (limit == 0 and len(found) > 0)
            hidden = expected.face_ids[:1].tolist()
            assert_same_faces(table.without_faces(hidden).face_table(), expected.take(np.arange(1, len(expected))))
            assert all(is_home_file(path.name) for path in tmp_path.iterdir())
            assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir() if sys.platform != "win32")
        assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A library with names, and its grouping if the embeddings are in memory."""
    library, truth = make_synthetic_library(tmp_path_factory.mktemp("library"), 500)
    library.cluster()
    name_largest_people(library, truth, 4)
    library.reject(library.people()[0].face_ids[:2], library.people()[0].label)
    library.cluster(full=True)
    return library.root, library.home.clusters.read_bytes()


@pytest.mark.parametrize("limit", [0, 20_000])
def test_groups_do_not_depend_on_where_embeddings_are(
    grouped: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    library = Library(grouped[0])
    monkeypatch.setattr(spilled_embeddings, "_MAX_BYTES_IN_MEMORY", limit)
    left_over = library.home.home / "embeddings.00112233.tmp"  # of a killed run
    left_over.write_bytes(b"x")
    files: list[Path] = []
    group_faces = grouping.group_faces

    def list_files(faces: FaceTable, *arguments: object, **options: object) -> object:
        assert isinstance(faces.embeddings, np.memmap)
        assert not faces.embeddings.flags.writeable
        files.extend(library.home.home.glob("embeddings.*"))
        assert Path(str(faces.embeddings.filename)) in files
        return group_faces(faces, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(grouping, "group_faces", list_files)
    library.cluster(full=True)
    assert library.home.clusters.read_bytes() == grouped[1]
    assert len(files) == 1 and left_over not in files  # the stored embeddings are gone once they are in order
    assert not list(library.home.home.glob("embeddings.*"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
def test_a_full_disk_is_one_clear_error(grouped: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    library = Library(grouped[0])
    monkeypatch.setattr(spilled_embeddings, "_MAX_BYTES_IN_MEMORY", 0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # the embeddings take 128,000 bytes
    try:
        with pytest.raises(CacheError, match=r"embeddings\.[0-9a-f]{8}\.tmp cannot be written") as raised:
            library.cluster(full=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "GB there while faces are grouped" in (raised.value.hint or "")
    assert not list(library.home.home.glob("embeddings.*"))
    assert library.home.clusters.read_bytes() == grouped[1]


def test_forgetting_erases_the_embeddings_of_a_killed_run(grouped: tuple[Path, bytes]) -> None:
    library = Library(grouped[0])
    left_over = library.home.home / "embeddings.00112233.tmp"
    left_over.write_bytes(b"x")
    library.forget(library.plan_forget(library.people()[-1].label))
    assert not left_over.exists()
