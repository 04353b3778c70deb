"""After any sequence of runs, the albums are those of the last run, and foreign files are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.outputs.albums import apply_album_plan
from tests.support.album_builders import PHOTOS, plan_albums, read_albums, write_photos

NAMES = ["Anna", "anna", "Ben", "CON", "a.jpg", "b.jpg", "2020"]
ALBUMS = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(PHOTOS), min_size=1).map(tuple), max_size=4)
LAYOUTS = [
    "{person}/{name}",
    "{name}",
    "{folder}/{name}",
    "{folder}/{person}/{name}",
    "{person}/{year}/{stem} {person}",
]
RUNS = st.tuples(ALBUMS, st.sampled_from(["symlink", "hardlink", "copy"]), st.sampled_from(LAYOUTS), st.booleans())
MINE = st.tuples(st.sampled_from(["Anna/a.jpg", "Ben/mine", "b.jpg", "2020", "CON_/x/y"]), st.booleans())


def write_user_file(out: Path, name: str, over: bool) -> None:
    """Write a user's file, over an existing one only if `over` is set."""
    if any(folder.exists() and not folder.is_dir() for folder in (out / name).parents) or (out / name).is_dir():
        return
    if os.path.lexists(out / name) and not over:
        return
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).unlink(missing_ok=True)
    (out / name).write_text(f"mine: {name}")


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.one_of(RUNS, MINE), max_size=5), RUNS)
def test_the_last_of_any_runs_decides_and_keeps_foreign_files(
    before: list[tuple[object, ...]], last: tuple[dict[str, tuple[str, ...]], str, str, bool]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, out = write_photos(Path(name) / "photos"), Path(name) / "People"
        fresh = Path(name) / "Fresh"
        user_files = set()
        for step in before:
            if len(step) == 2:
                write_user_file(out, *step)  # type: ignore[arg-type]
                user_files = (
                    {path for path, text in read_albums(out).items() if text.startswith("mine: ")}
                    if out.exists()
                    else user_files
                )
                continue
            albums, kind, layout, absolute = step
            if out.exists() and not (out / ".faceclust-albums.json").exists() and (out / "b.jpg").exists():
                (out / "b.jpg").unlink()  # a user's photo: the folder would be refused
                user_files.discard("b.jpg")
            apply_album_plan(plan_albums(root, out, albums, kind, layout=layout, absolute=absolute))  # type: ignore[arg-type]
        albums, kind, layout, absolute = last
        if (out / "b.jpg").exists() and not (out / ".faceclust-albums.json").exists():
            (out / "b.jpg").unlink()
            user_files.discard("b.jpg")
        for _ in range(2):  # an obstacle of the first run may be gone in the second
            done = plan_albums(root, out, albums, kind, layout=layout, absolute=absolute)
            apply_album_plan(done)
        apply_album_plan(plan_albums(root, fresh, albums, kind, layout=layout, absolute=absolute))
        found, expected = (read_albums(out) if out.exists() else {}), (read_albums(fresh) if fresh.exists() else {})
        assert {path for path, text in found.items() if text.startswith("mine: ")} == user_files
        blocked = {left.path for left in done.skipped}
        assert {path: text for path, text in found.items() if path not in user_files} == {
            path: text for path, text in expected.items() if path not in blocked
        }
        assert all(path in user_files or any(path.startswith(f"{own}/") for own in user_files) for path in blocked)
        folders = {path.relative_to(out) for path in out.rglob("*") if path.is_dir()} if out.exists() else set()
        assert folders <= {folder for path in found for folder in Path(path).parents} | {Path("CON_/x"), Path("CON_")}
        assert all((root / photo).read_text() == photo for photo in PHOTOS)
