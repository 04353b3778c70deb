"""Sidecars on disk: which ones are written, left alone and backed up."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from faceclust.errors import UsageError
from faceclust.outputs.sidecars import OrientationReader, SidecarPlan, UprightFace, plan_sidecars, write_sidecars
from faceclust.types import PhotoInfo
from tests.support.xmp_packets import CLUTTER, build_array, build_mwg_regions, build_region, build_sidecar

ANNA, BEN = UprightFace((0.1, 0.2, 0.3, 0.5), "Anna"), UprightFace((0.6, 0.2, 0.8, 0.5), "Ben")
THEIRS = build_sidecar(CLUTTER).encode()


class Photos:
    """Some photo files and their entries in a library."""

    def __init__(self, root: Path, *names: str) -> None:
        self.root, self.facts = root, {}
        self.faces: dict[str, tuple[UprightFace, ...]] = {}
        self.embedded: dict[str, tuple[bytes, ...]] = {}
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"the photo")
            self.facts[name] = PhotoInfo(name, "h", (4000, 3000), 1, None, None, None, None)
            self.faces[name] = (ANNA, BEN)

    def plan(
        self,
        out: Path | None = None,
        read_orientation: OrientationReader = lambda path: None,
        names: str = "file.jpg.xmp",
    ) -> SidecarPlan:
        embedded = {self.root / name: (packets, ("IPTC",)) for name, packets in self.embedded.items()}
        return plan_sidecars(
            self.root, self.faces, self.facts, read_orientation, lambda path: embedded.get(path, ((), ())), out, names
        )

    def write(self, out: Path | None = None, names: str = "file.jpg.xmp") -> dict[str, str]:
        """Write the planned sidecars and return the outcome of each by file name."""
        plan = self.plan(out, names=names)
        left = {one.path.name: f"leave: {one.reason}" for one in plan.with_action("leave")}
        return left | {one.path.name: ": ".join(filter(None, (one.action, one.reason))) for one in write_sidecars(plan)}


def snapshot(root: Path) -> Mapping[str, tuple[bytes, int]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("names", ["file.jpg.xmp", "file.xmp"])
def test_an_existing_sidecar_may_spell_the_photo_in_another_unicode_form(tmp_path: Path, names: str) -> None:
    """On the disk of a Mac, accents are characters of their own."""
    photos = Photos(tmp_path, "Zoe\u0308.jpg", "Mu\u0308ller.jpg")
    sidecar = "Zo\u00eb.jpg.xmp" if names == "file.jpg.xmp" else "Zo\u00eb.xmp"
    if (tmp_path / "Zo\u00eb.jpg").exists():
        pytest.skip("this file system ignores the Unicode form")
    (tmp_path / sidecar).write_bytes(THEIRS)
    new = sidecar.replace("Zo\u00eb", "Mu\u0308ller")
    assert photos.write(names=names) == {sidecar: "change", new: "make"}


def test_each_of_two_photos_in_two_unicode_forms_has_its_sidecar(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "Zoe\u0308.jpg")
    if (tmp_path / "Zo\u00eb.jpg").exists():
        pytest.skip("this file system ignores the Unicode form")
    photos = Photos(tmp_path, "Zoe\u0308.jpg", "Zo\u00eb.jpg")
    (tmp_path / "Zo\u00eb.jpg.xmp").write_bytes(THEIRS)
    assert photos.write() == {"Zo\u00eb.jpg.xmp": "change", "Zoe\u0308.jpg.xmp": "make"}


def test_a_rerun_writes_nothing_and_photos_are_never_written(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg", "2019/b.HEIC")
    before = snapshot(tmp_path)
    assert photos.write() == {"a.jpg.xmp": "make", "b.HEIC.xmp": "make"}
    once = snapshot(tmp_path)
    assert once.keys() == {"a.jpg", "a.jpg.xmp", "2019/b.HEIC", "2019/b.HEIC.xmp"}
    assert {name: once[name] for name in before} == before
    assert photos.write() == {} and snapshot(tmp_path) == once
    assert {one.action for one in photos.plan().sidecars} == {"same"}


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "b.jpg.xmp").write_bytes(THEIRS)
    before = snapshot(tmp_path)
    plan = photos.plan(tmp_path / "out"), photos.plan()
    assert [(one.action, one.people) for one in plan[1].sidecars] == [
        ("make", ["Anna", "Ben"]),
        ("change", ["Anna", "Ben"]),
    ]
    assert snapshot(tmp_path) == before and not (tmp_path / "out").exists()


def test_a_sidecar_of_another_program_is_backed_up_once(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg")
    path, backup = tmp_path / "a.jpg.xmp", tmp_path / "a.jpg.xmp.faceclust-backup"
    path.write_bytes(THEIRS)
    path.chmod(0o640)
    assert photos.write() == {"a.jpg.xmp": "change"}
    assert backup.read_bytes() == THEIRS and path.read_bytes() != THEIRS
    assert path.stat().st_mode & 0o777 == backup.stat().st_mode & 0o777 == 0o640
    photos.faces["a.jpg"] = (replace(ANNA, name="Anne"),)
    assert photos.write() == {"a.jpg.xmp": "change"}
    assert backup.read_bytes() == THEIRS and b"Anne" in path.read_bytes() and b"Ben" not in path.read_bytes()
    photos.faces["a.jpg"] = (UprightFace(None, "Zoe"), UprightFace(None, None))
    assert (
        photos.write() == {"a.jpg.xmp": "change"} and b"Zoe" in path.read_bytes() and b"Anne" not in path.read_bytes()
    )
    assert [one.people for one in photos.plan().sidecars] == [["Zoe"]]
    photos.faces.clear()
    assert photos.write() == {"a.jpg.xmp": "change"}
    assert path.read_bytes() == THEIRS


def test_our_own_sidecar_is_backed_up_only_after_foreign_edits(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg")
    path = tmp_path / "a.jpg.xmp"
    photos.write()
    photos.faces["a.jpg"] = (ANNA,)
    assert photos.write() == {"a.jpg.xmp": "change"}
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.jpg", "a.jpg.xmp"}
    edited = path.read_bytes().replace(b"<rdf:Description ", b"<rdf:Description xmlns:u='urn:u' u:rating='5' ", 1)
    path.write_bytes(edited)
    photos.faces["a.jpg"] = (BEN,)
    assert photos.write() == {"a.jpg.xmp": "change"}
    backup = (tmp_path / "a.jpg.xmp.faceclust-backup").read_bytes()
    assert b"u:rating='5'" in backup and b"Anna" not in backup  # she may be forgotten later
    assert b"u:rating='5'" in path.read_bytes()


def test_sidecars_in_a_separate_tree(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos", "2019/a.jpg", "b.jpg")
    before = snapshot(photos.root)
    out = tmp_path / "out"
    assert photos.write(out) == {"a.jpg.xmp": "make", "b.jpg.xmp": "make"}
    assert snapshot(out).keys() == {"2019/a.jpg.xmp", "b.jpg.xmp"} and snapshot(photos.root) == before
    for bad in (photos.root, photos.root / "b.jpg"):
        with pytest.raises(UsageError, match="cannot hold sidecars"):
            photos.plan(bad)


def test_obstacles_are_left_alone_and_the_rest_is_written(tmp_path: Path) -> None:
    names = ["bomb", "broken", "folder", "good", "pipe", "dangling"]
    photos = Photos(tmp_path, *(f"{name}.jpg" for name in names))
    (tmp_path / "broken.jpg.xmp").write_bytes(b"my notes, not XML")
    bomb = b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + THEIRS[THEIRS.index(b"<x:") :]
    (tmp_path / "bomb.jpg.xmp").write_bytes(bomb)
    (tmp_path / "folder.jpg.xmp").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg.xmp")
    (tmp_path / "dangling.jpg.xmp").symlink_to(tmp_path / "nowhere")
    done = photos.write()
    assert done.pop("good.jpg.xmp") == "make"
    assert len(done) == 5 and all(outcome.startswith("leave: ") for outcome in done.values())
    assert "document type" in done["bomb.jpg.xmp"] and "not a regular file" in done["pipe.jpg.xmp"]
    assert (tmp_path / "broken.jpg.xmp").read_bytes() == b"my notes, not XML"
    assert (tmp_path / "bomb.jpg.xmp").read_bytes() == bomb
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.jpg.xmp.faceclust-backup"])
def test_a_sidecar_or_backup_that_is_a_link_is_left(tmp_path: Path, name: str) -> None:
    photos = Photos(tmp_path / "photos", "a.jpg")
    (tmp_path / "elsewhere.xmp").write_bytes(THEIRS)
    (tmp_path / "photos/a.jpg.xmp").write_bytes(THEIRS)
    (tmp_path / "photos" / name).unlink(missing_ok=True)
    (tmp_path / "photos" / name).symlink_to(tmp_path / "elsewhere.xmp")
    (reason,) = photos.write().values()
    assert reason.startswith("leave: ") and reason.endswith("it is a symlink, not a regular file")
    assert (tmp_path / "elsewhere.xmp").read_bytes() == THEIRS
    assert all(path.read_bytes() == THEIRS for path in (tmp_path / "photos").glob("*.xmp*"))


def test_a_photo_behind_a_link_is_missing(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos", "a.jpg", "2019/b.jpg", "c.jpg")
    (tmp_path / "photos/a.jpg").rename(tmp_path / "private.jpg")
    (tmp_path / "photos/a.jpg").symlink_to(tmp_path / "private.jpg")
    (tmp_path / "photos/2019").rename(tmp_path / "2019")
    (tmp_path / "photos/2019").symlink_to(tmp_path / "2019")
    assert photos.plan().missing_photos == ("2019/b.jpg", "a.jpg")
    assert photos.write() == {"c.jpg.xmp": "make"}
    assert not list(tmp_path.rglob("b.jpg.xmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_new_sidecar_has_the_permissions_of_its_photo_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos", "2019/a.jpg", "2019/b.jpg", "2019/c.jpg")
    modes = {"a.jpg": 0o644, "b.jpg": 0o600, "c.jpg": 0o777}
    for name, mode in modes.items():
        (tmp_path / "photos/2019" / name).chmod(mode)
    (tmp_path / "photos/2019/c.jpg.xmp").write_bytes(THEIRS)
    (tmp_path / "photos/2019/c.jpg.xmp").chmod(0o640)
    photos.write()
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "photos/2019").glob("*.xmp*")}
    assert found == {"a.jpg.xmp": 0o644, "b.jpg.xmp": 0o600, "c.jpg.xmp": 0o640, "c.jpg.xmp.faceclust-backup": 0o640}
    photos.write(tmp_path / "out")
    (tmp_path / "out/2019").rename(tmp_path / "before")
    (tmp_path / "out").chmod(0o755)
    photos.write(tmp_path / "out")
    folders = (tmp_path / "before", tmp_path / "out", tmp_path / "out/2019")
    assert [oct(stat.S_IMODE(path.stat().st_mode)) for path in folders] == ["0o700", "0o755", "0o755"]
    assert stat.S_IMODE((tmp_path / "out/2019/a.jpg.xmp").stat().st_mode) == 0o644


def test_a_name_too_long_for_the_suffix_is_left_with_a_reason(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a" * 250 + ".jpg", "b.jpg")
    done = photos.write()
    assert done["b.jpg.xmp"] == "make" and done["a" * 250 + ".jpg.xmp"].startswith("leave: ")


def test_missing_and_changed_photos_get_no_sidecar(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "gone.jpg", "changed.jpg", "fine.jpg")
    (tmp_path / "gone.jpg").unlink()
    sizes = {"changed.jpg": (3000, 4000), "fine.jpg": (4000, 3000)}
    plan = photos.plan(read_orientation=lambda path: (1, sizes[path.name]))
    assert plan.missing_photos == ("gone.jpg",)
    assert {one.photo: one.action for one in plan.sidecars} == {"changed.jpg": "leave", "fine.jpg": "make"}


def test_the_orientation_of_the_file_takes_precedence_over_the_cache(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.heic")
    photos.facts["a.heic"] = replace(photos.facts["a.heic"], orientation=1)
    (sidecar,) = photos.plan(read_orientation=lambda path: (6, None)).sidecars
    assert sidecar.size == (3000, 4000)
    assert sidecar.faces[0].box == pytest.approx((0.2, 0.7, 0.5, 0.9))
    (sidecar,) = photos.plan().sidecars
    assert (sidecar.size, sidecar.faces[0].box) == ((4000, 3000), ANNA.box)


def test_a_new_sidecar_repeats_the_photos_own_metadata(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg", "cut.jpg", "iptc.jpg", "none.jpg", "two.jpg", "broken.jpg")
    carla = build_region("Carla", 0.9, 0.9, 0.05, 0.05)
    holiday = build_array("dc:subject", "holiday")
    dora = build_mwg_regions(carla, build_region("Dora", 0.1, 0.9, 0.05, 0.05))
    packets = {
        "a.jpg": [build_sidecar(CLUTTER, holiday, build_mwg_regions(carla))],
        "cut.jpg": [build_sidecar(build_mwg_regions(carla, size=(3000, 4000)), attributes=" dc:subject='holiday'")],
        "iptc.jpg": [build_sidecar(CLUTTER)],
        "none.jpg": [],
        "two.jpg": [build_sidecar(build_mwg_regions(carla)), build_sidecar(holiday, dora)],
        "broken.jpg": [build_sidecar(CLUTTER + "<xmp:Note>a &amp; b \x0b & c</xmp:Note>", holiday)],
    }
    photos.embedded = {name: tuple(packet.encode() for packet in each) for name, each in packets.items()}
    assert set(photos.write().values()) == {"make"}
    texts = {name: (tmp_path / f"{name}.xmp").read_text(encoding="utf-8") for name in photos.embedded}
    assert "Carla" in texts["a.jpg"] and "Editor" not in texts["a.jpg"]
    assert "Carla" not in texts["cut.jpg"]
    assert (texts["two.jpg"].count("Carla"), texts["two.jpg"].count("Dora")) == (1, 1)
    words = {name: ["IPTC", "holiday"] for name in ("a.jpg", "cut.jpg", "two.jpg", "broken.jpg")}
    for name in texts:
        for word in words.get(name, ["IPTC"]):
            assert texts[name].count(f"<rdf:li>{word}</rdf:li>") == 3  # flat, and in both hierarchical properties
        assert texts[name].count("<rdf:li>Anna</rdf:li>") == 2 and texts[name].count('"Anna"') == 2
    assert "dc:subject holiday" not in texts["a.jpg"] and "mwg-rs 0.900000" not in texts["a.jpg"]  # not ours
    assert photos.write() == {}
    photos.faces.clear()
    photos.write()
    assert "holiday" in (tmp_path / "a.jpg.xmp").read_text(encoding="utf-8")


@pytest.mark.parametrize("packets", [(b"<x",), (THEIRS, b"no XML")])
def test_no_sidecar_hides_metadata_that_cannot_be_read(tmp_path: Path, packets: tuple[bytes, ...]) -> None:
    photos = Photos(tmp_path, "a.jpg")
    photos.embedded["a.jpg"] = packets
    (outcome,) = photos.write().values()
    assert outcome.startswith("leave: the photo's own XMP cannot be repeated in a new sidecar: ")
    assert not list(tmp_path.glob("*.xmp"))


def test_a_shared_sidecar_goes_to_the_raw_file_or_nobody(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg", "a.CR2", "b.jpg", "b.png", "c.jpg", "D.JPG", "d.png")
    photos.faces.pop("d.png")
    done = photos.write(names="file.xmp")
    assert done == {
        "a.xmp": "make",
        "b.xmp": "leave: b.jpg has the same sidecar",
        "c.xmp": "make",
        "D.xmp": "make",
    }
    assert {path.name for path in tmp_path.glob("*.xmp")} == {"a.xmp", "c.xmp", "D.xmp"}
    plan = photos.plan(names="file.xmp")
    assert sorted((one.photo, one.action) for one in plan.sidecars) == [
        ("D.JPG", "same"),
        ("a.CR2", "same"),
        ("a.jpg", "leave"),
        ("b.jpg", "leave"),
        ("b.png", "leave"),
        ("c.jpg", "same"),
    ]


@pytest.mark.parametrize("names", ["file.jpg.xmp", "file.xmp"])
def test_a_photo_without_suffix_does_not_get_the_sidecar_of_another(tmp_path: Path, names: str) -> None:
    photos = Photos(tmp_path, "IMG_1", "IMG_1.CR2", "img_2", "IMG_2.jpg", "IMG_3", "sub/IMG_3.CR2")
    photos.faces.pop("IMG_1.CR2")
    done = photos.write(names=names)
    assert done.pop("IMG_1.xmp") == "leave: its sidecar would have the same name as the one of IMG_1.CR2"
    assert done.pop("img_2.xmp") == "leave: its sidecar would have the same name as the one of IMG_2.jpg"
    assert set(done.values()) == {"make"}
    assert (tmp_path / "IMG_3.xmp").exists() and not (tmp_path / "IMG_1.xmp").exists()


def test_a_folder_without_write_permission_is_left_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Photos(tmp_path, "shut/a.jpg", "b.jpg")
    real = os.open

    def refuse(path: str | Path, *arguments: int, dir_fd: int | None = None) -> int:
        in_folder = Path(path).parent.stat() if dir_fd is None else os.fstat(dir_fd)
        if Path(path).suffix == ".tmp" and os.path.samestat(in_folder, (tmp_path / "shut").stat()):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    done = photos.write()
    assert done["b.jpg.xmp"] == "make" and "Permission denied" in done["a.jpg.xmp"]
    assert not list((tmp_path / "shut").glob("*.xmp*"))


@pytest.mark.parametrize("out", ["2019", "2019/trip", "2019/trip/new/er", "2019/new", "..", "link", "2021"])
def test_a_folder_among_the_photos_is_refused(tmp_path: Path, out: str) -> None:
    root = tmp_path / "photos"
    photos = Photos(root, "a.jpg", "2019/b.jpg", "2019/2019/b.jpg", "2019/trip/c.jpg", "2021/deep/d.jpg")
    (root / "link").symlink_to("2019")
    with pytest.raises(UsageError, match="photos of the library") as caught:
        photos.plan(root / out)
    assert caught.value.hint
    assert {one.action for one in photos.plan(root / "sidecars").sidecars} == {"make"}


def test_links_below_the_output_folder_are_not_followed(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos", "2019/a.jpg", "2019/deep/b.jpg", "c.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "out/2019").symlink_to(tmp_path / "elsewhere")
    link = f"leave: {tmp_path}/out/2019: it is a symlink, not a folder"
    assert photos.write(tmp_path / "out") == {"a.jpg.xmp": link, "b.jpg.xmp": link, "c.jpg.xmp": "make"}
    assert [path.name for path in (tmp_path / "elsewhere").rglob("*")] == ["deep"]


def test_sidecars_of_the_other_naming_scheme_are_cleaned(tmp_path: Path) -> None:
    photos = Photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "b.xmp").write_text(build_sidecar(CLUTTER), encoding="utf-8")  # written by another program only
    photos.faces["b.jpg"] = ()
    assert photos.write(names="file.xmp") == {"a.xmp": "make"}
    assert "Anna" in (tmp_path / "a.xmp").read_text(encoding="utf-8")
    assert photos.write() == {"a.jpg.xmp": "make", "a.xmp": "change"}
    assert "Anna" not in (tmp_path / "a.xmp").read_text(encoding="utf-8")
    assert "Anna" in (tmp_path / "a.jpg.xmp").read_text(encoding="utf-8")
    assert (tmp_path / "b.xmp").read_text(encoding="utf-8") == build_sidecar(CLUTTER)
    assert photos.write() == {}
