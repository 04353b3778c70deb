"""A cache that breaks a rule costs one note: every command goes on without it, and the next scan makes it again."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.store import parquet_file
from faceclust.store.clusters import read_clusters
from faceclust.store.schema import encode_parquet
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS

CACHE = "2020/.faceclust.mobilefacenet.parquet"
COMMANDS = [
    ["status"], ["people", "--all", "--json"], ["cluster", "--full"], ["find", COLLINS], ["together"], ["export"],
    ["export", "-f", "xmp", "--where", "{out}/xmp"], ["report", "-o", "{out}/r.html"],
    ["albums", "{out}/albums", "--link", "copy"], ["map", "-o", "{out}/map.html"], ["cache", "prune"],
]  # fmt: skip
BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "a name outside": ({"photo": "../../victim.jpg"}, "the name of a photo is not a file name"),
    "an id outside": ({"face_id": "../../../victim"}, "a face id is not 16 hexadecimal digits"),
    "no size": ({"width": None}, "the name, size, time, status or hash of a photo is missing"),
    "an unknown status": ({"status": "no such reason"}, "the status of a photo is unknown"),
    "no id": ({"face_id": None}, "a face lacks its number, id, box, score"),
    "not a number": ({"embedding": [float("nan")] * 64}, "an embedding is not finite"),
}  # fmt: skip


def break_cache(cache: Path, **values: Any) -> None:
    """Change the first row of a cache; size and time of the file stay, as far as possible."""
    table, times = pq.read_table(cache), cache.stat()
    rows = table.to_pylist()
    rows[0].update(values)
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in table.schema]
    cache.write_bytes(encode_parquet(pa.Table.from_arrays(columns, schema=table.schema)))
    os.utime(cache, ns=(times.st_atime_ns, times.st_mtime_ns))


def prepare(library: Library, tmp_path: Path) -> Path:
    library.name(library.faces_in_group(1), COLLINS)
    victim = tmp_path / "victim.jpg"
    shutil.copy(library.root / "2019/collins-0.jpg", victim)
    return victim


@pytest.mark.slow
@pytest.mark.parametrize("kind", BREAKS)
def test_every_command_goes_on_without_a_cache_that_breaks_a_rule(library: Library, tmp_path: Path, kind: str) -> None:
    values, reason = BREAKS[kind]
    prepare(library, tmp_path)
    break_cache(library.root / CACHE, **values)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for words in COMMANDS:
        out = tmp_path / "out" / words[0]
        out.mkdir(parents=True, exist_ok=True)
        done = run(*(word.format(out=out) for word in words), "-l", library.root)
        assert done.returncode == 0, (words, done.stderr)
        if words[0] != "cache":
            assert done.stderr.count(f"{CACHE}: {reason}") == 1, (words, done.stderr)
        assert not any("victim" in str(path) for path in out.rglob("*"))
    assert {path: path.read_bytes() for path in before} == before
    checked = json.loads(run("cache", "check", "--json", "-l", library.root).stdout)
    (problem,) = checked["problems"]
    assert problem["where"] == str(library.root / CACHE) and problem["what"].startswith(reason)


@pytest.mark.parametrize("kind", ["a name outside", "not a number"])
def test_the_next_scan_sets_it_aside_and_scans_the_folder_again(library: Library, tmp_path: Path, kind: str) -> None:
    values, reason = BREAKS[kind]
    prepare(library, tmp_path)
    named = {person.name: set(person.face_ids) for person in library.people()}
    break_cache(library.root / CACHE, **values)
    run_checked("people", "-l", library.root)  # the size and time of the file do not tell
    done = run("scan", library.root)
    assert done.returncode == 0 and f"{CACHE}: {reason}" in done.stderr and "set aside as" in done.stderr
    assert (library.root / ".faceclust/set-aside/2020/faceclust.mobilefacenet.parquet").exists()
    again = Library(library.root)
    assert {person.name: set(person.face_ids) for person in again.people()} == named
    done = run("people", "-l", library.root)
    assert CACHE not in done.stderr


def test_forget_goes_on_and_leaves_nothing_behind(library: Library, tmp_path: Path) -> None:
    prepare(library, tmp_path)
    faces = {face for person in library.people() for face in person.face_ids}
    break_cache(library.root / CACHE, status="no such reason")
    done = run("forget", COLLINS, "--yes", "-l", library.root)
    assert done.returncode == 0, done.stderr
    for cache in library.root.rglob(".faceclust*.parquet"):
        assert all(row["face_id"] not in faces or row["embedding"] is None for row in pq.read_table(cache).to_pylist())
    assert run_checked("scan", library.root)
    assert COLLINS not in run_checked("people", "--all", "-l", library.root)


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("words", [["cluster"], ["forget", COLLINS, "--yes"], ["cache", "prune"], ["people"]])
def test_an_error_of_the_disk_stops_the_command_before_it_changes_anything(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], number: int
) -> None:
    prepare(library, tmp_path)
    read_own = parquet_file.read_own

    def fail(path: Path, max_size: int) -> bytes:
        if str(path).endswith(CACHE):
            raise OSError(number, os.strerror(number), str(path))
        return read_own(path, max_size)

    monkeypatch.setattr(parquet_file, "read_own", fail)
    before = {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file() and "lock" not in path.name}
    done = run(*words, "-l", library.root)
    assert done.returncode == 1 and f"{CACHE} cannot be read: {os.strerror(number)}" in done.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_the_same_id_for_another_face_in_another_folder_is_no_fault(library: Library, tmp_path: Path) -> None:
    prepare(library, tmp_path)
    other = pq.read_table(library.root / "2019/.faceclust.mobilefacenet.parquet")["face_id"].drop_null()[0].as_py()
    break_cache(library.root / CACHE, face_id=other)
    for words in COMMANDS:
        out = tmp_path / "out" / words[0]
        out.mkdir(parents=True, exist_ok=True)
        done = run(*(word.format(out=out) for word in words), "-l", library.root)
        assert done.returncode == 0, (words, done.stderr)
    (problem,) = json.loads(run("cache", "check", "--json", "-l", library.root).stdout)["problems"]
    assert problem["what"].startswith("a face id does not match the photo and box")
    assert run("forget", COLLINS, "--yes", "-l", library.root).returncode == 0


def set_column(table: pa.Table, number: int, values: list[Any]) -> pa.Table:
    field = table.schema.field(number)
    return table.set_column(number, field, pa.array(values, field.type))


CLUSTERS: dict[str, Callable[[pa.Table, dict[str, Any]], pa.Table]] = {
    "label": lambda table, notes: set_column(table, 1, [2**31 - 1] * len(table)),
    "id": lambda table, notes: set_column(table, 0, [f"../{i}" for i in range(len(table))]),
    "twice": lambda table, notes: pa.concat_tables([table, table]),
    "strength": lambda table, notes: set_column(table, 2, [np.nan] * len(table)),
    "threshold": lambda table, notes: notes["params"].update(threshold=float("nan")) or table,
    "algorithm": lambda table, notes: notes["params"].update(algorithm=["x"]) or table,
    "min_size": lambda table, notes: notes["params"].update(min_size=True) or table,
    "highest": lambda table, notes: notes.update(highest=10**400) or table,
    "whole": lambda table, notes: notes.update(whole="7") or table,
    "models": lambda table, notes: notes.update(models=7) or table,
    "columns": lambda table, notes: table.drop(["part"]),
    "rows": lambda table, notes: table.take(pa.array([0] * 10**6)),
}  # fmt: skip


@pytest.mark.parametrize("kind", CLUSTERS)
def test_a_hostile_grouping_is_damaged_and_made_again(library: Library, kind: str) -> None:
    path = library.home.clusters
    table = pq.read_table(path)
    notes = json.loads(table.schema.metadata[b"faceclust"])
    table = CLUSTERS[kind](table, notes)
    pq.write_table(table.replace_schema_metadata({b"faceclust": json.dumps(notes).encode()}), path)
    done = run("people", "-l", library.root)
    assert (
        done.returncode == 1 and "clusters.parquet cannot be read" in done.stderr and "faceclust cluster" in done.stderr
    )
    done = run("cluster", "-l", library.root)
    assert done.returncode == 0 and "clusters.parquet cannot be read" in done.stderr and "ignored" in done.stderr
    assert read_clusters(path) is not None
