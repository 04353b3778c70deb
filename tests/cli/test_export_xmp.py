"""The command `faceclust export --format xmp`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from faceclust import Library
from tests.support.command import run, run_checked
from tests.support.metadata_files import IPTC, OTHER_XMP, XMP, XMP_HEADER, photoshop, segment
from tests.support.sample_photos import COLLINS, HOPPER

EXPORT = ("export", "--format", "xmp")


@pytest.fixture
def named(library: Library, name_of_face: Callable[[Library], dict[str, str]]) -> Library:
    """Collins is confirmed on one photo and suggested on the others; Hopper is confirmed on all."""
    faces = name_of_face(library)
    collins = [face for face, person in faces.items() if person == COLLINS]
    confirmed = [face for face in collins if library.occurrences_of[face][0].photo == "2019/collins-0.jpg"]
    library.name(collins, COLLINS, confirmed=confirmed)
    library.name([face for face, person in faces.items() if person == HOPPER], HOPPER)
    return library


def read_sidecar_names(root: Path) -> dict[str, list[str]]:
    """Map each photo to the people in its sidecar."""
    out = {}
    for path in sorted(root.rglob("*.xmp")):
        text = path.read_text(encoding="utf-8")
        photo = path.relative_to(root).as_posix().removesuffix(".xmp")
        out[photo] = [name for name in (COLLINS, HOPPER) if f'mwg-rs:Name="{name}"' in text]
    return out


def test_sidecars_beside_the_photos(named: Library, truth: dict[str, list[str]]) -> None:
    options = (*EXPORT, "--where", "sidecar", "--library", named.root)
    before = {path: path.read_bytes() for path in named.root.rglob("*") if path.suffix in (".jpg", ".png", ".webp")}
    plan = run_checked(*options, "--dry-run")
    assert "make    " in plan and "would be made 10," in plan and read_sidecar_names(named.root) == {}
    assert "10 sidecars; made 10, changed 0, unchanged 0, skipped 0" in run_checked(*options)
    assert read_sidecar_names(named.root) == {photo: sorted(people) for photo, people in truth.items() if people}
    assert {path: path.read_bytes() for path in before} == before
    assert "made 0, changed 0, unchanged 10" in run_checked(*options)
    run_checked("rename", COLLINS, "Eileen", "--library", named.root)
    answer = json.loads(run_checked(*options, "--json"))
    assert len(answer["change"]) == 6 and len(answer["same"]) == 4 and not (answer["make"] or answer["left"])
    assert answer["change"][0]["people"] == ["Eileen"] and answer["where"] == str(named.root)
    run_checked("forget", "Eileen", "--yes", "--library", named.root)
    run_checked(*options)
    assert not [path for path in named.root.rglob("*.xmp") if "Eileen" in path.read_text(encoding="utf-8")]


def test_a_new_sidecar_repeats_the_photos_keywords_or_is_not_made(named: Library) -> None:
    exif = Image.Exif()
    exif[0x9C9E] = "beach;sea\0".encode("utf-16-le")
    packets = [XMP_HEADER + packet for packet in (OTHER_XMP, XMP, b"<x:xmpmeta")]
    segments = {
        "2019/collins-0.jpg": [segment(exif.tobytes())],
        "2019/collins-3.jpg": [segment(packets[0]), segment(packets[1])],
        "2020/collins-1.jpg": [segment(b"Photoshop 3.0\0" + photoshop(IPTC.replace(b"\4hill", b"\5beach")), 0xED)],
        "2021/collins-2.jpg": [segment(packets[0]), segment(packets[2])],
    }
    for name, inserted in segments.items():
        data = (named.root / name).read_bytes()
        (named.root / name).write_bytes(data[:2] + b"".join(inserted) + data[2:])
    done = run(*EXPORT, "--where", "sidecar", "--library", named.root)
    assert done.returncode == 1 and "made 9, changed 0, unchanged 0, skipped 1" in done.stdout
    assert "collins-2.jpg.xmp: the photo's own XMP cannot be repeated in a new sidecar" in done.stdout + done.stderr
    *repeated, unreadable = (named.root / f"{name}.xmp" for name in segments)
    assert not unreadable.exists()
    for path in repeated:
        assert path.read_text(encoding="utf-8").count("<rdf:li>beach</rdf:li>") == 3


def test_the_same_tree_in_another_folder_with_confirmed_faces_only(named: Library, tmp_path: Path) -> None:
    run_checked(*EXPORT, "--where", "out", "--confirmed", "--library", named.root, cwd=tmp_path)
    found = read_sidecar_names(tmp_path / "out")
    assert sum(COLLINS in people for people in found.values()) == 1
    assert sum(HOPPER in people for people in found.values()) == 6
    assert read_sidecar_names(named.root) == {}
    run_checked(*EXPORT, "--where", "all", "--confirmed", "--all-faces", "--library", named.root, cwd=tmp_path)
    text = (tmp_path / "all/2020/collins-1.jpg.xmp").read_text(encoding="utf-8")
    assert text.count('mwg-rs:Type="Face"') == 1 and "mwg-rs:Name" not in text


def test_sidecars_can_be_named_as_adobe_does(named: Library) -> None:
    run_checked(*EXPORT, "--where", "sidecar", "--names", "file.xmp", "--library", named.root)
    assert (named.root / "2019/collins-0.xmp").is_file() and not list(named.root.rglob("*.jpg.xmp"))


def test_a_broken_sidecar_is_reported_and_the_others_are_written(named: Library) -> None:
    broken = named.root / "2019/collins-0.jpg.xmp"
    broken.write_bytes(b"not XML")
    done = run(*EXPORT, "--where", "sidecar", "--library", named.root)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"skipped: {broken}: not XML" in done.stderr
    assert "made 9, changed 0, unchanged 0, skipped 1" in done.stdout and broken.read_bytes() == b"not XML"


def test_the_name_of_another_program_is_kept_and_reported(named: Library) -> None:
    options = (*EXPORT, "--where", "sidecar", "--library", named.root)
    run_checked(*options)
    path = named.root / "2019/collins-0.jpg.xmp"
    text = path.read_text(encoding="utf-8").replace(f'"{COLLINS}"', '"Ellen"')  # in the regions, not in our own copy
    path.write_text(text, encoding="utf-8")
    done = run(*options)
    assert done.returncode == 0
    assert f"2019/collins-0.jpg: named Ellen by another program, {COLLINS} by you; not changed" in done.stderr
    assert '"Ellen"' in path.read_text(encoding="utf-8") and COLLINS not in path.read_text(encoding="utf-8")


def test_contradictory_options_are_refused(named: Library, tmp_path: Path) -> None:
    for arguments, words in (
        (EXPORT, "--where sidecar writes beside your photos"),
        ((*EXPORT, "--where", "sidecar", "-o", "x.xmp"), "--where OUT"),
        ((*EXPORT, "--where", named.root), "--where sidecar"),
        (("export", "--where", "sidecar"), "--where cannot be used with the format csv"),
        (("export", "-o", "faces.parquet", "--all-faces"), "--all-faces cannot be used with the format parquet"),
    ):
        done = run(*arguments, "--library", named.root, cwd=tmp_path)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    assert read_sidecar_names(named.root) == {} and not list(tmp_path.glob("*.parquet"))


def test_without_names_the_next_step_is_shown(library: Library) -> None:
    assert "nobody has a name yet" in run_checked(*EXPORT, "--where", "sidecar", "--library", library.root)
