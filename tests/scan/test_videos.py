"""Scan, group and find the people in videos."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.cli.scan import _describe_videos
from faceclust.cluster.same_pictures import PicturePairs, find_same_pictures
from faceclust.scan.result import ScanResult
from faceclust.types import EXTRA_MODULE_BY_REASON, FaceTable, SkipReason
from tests.support.command import run
from tests.support.sample_photos import COLLINS, HOPPER, make_variant, save_photo
from tests.support.sample_videos import write_video

pytest.importorskip("av")


def make_library(root: Path) -> Path:
    """Write two photos of Collins, a video of her and Hopper, and one that shows Hopper briefly."""
    save_photo(make_variant(COLLINS, 0), root / "collins0.jpg")
    save_photo(make_variant(COLLINS, 2), root / "collins2.jpg")
    texts = {"creation_time": "2019-05-17T12:34:56Z"}
    write_video(root / "long.mp4", [(8.0, [COLLINS, HOPPER]), (4.0, [HOPPER])], texts=texts)
    write_video(root / "brief.mov", [(2.0, []), (2.0, [HOPPER]), (2.0, [])])
    return root


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_library(tmp_path_factory.mktemp("videos") / "photos")
    result = Library(root).scan(videos=True, workers=0)
    assert (result.photos, result.videos, result.frames, result.skipped) == (4, 2, 9, [])
    Library(root).cluster()
    return root


def test_the_best_faces_of_each_person_are_kept(scanned: Path) -> None:
    library = Library(scanned)
    faces = [face for face in library.occurrences if face.photo == "long.mp4"]
    assert len(faces) == 6 and len({face.face_id for face in faces}) == 6
    assert {face.frame_time for face in faces} <= {0, 2, 4, 6, 8, 10}
    left, right = (person.face_ids for person in library.persons)
    assert sorted(len({face.face_id for face in faces} & set(ids)) for ids in (left, right)) == [3, 3]
    assert library.photos["long.mp4"].taken_at_source == "video"
    assert [library.address_of(face.face_id) for face in library.faces_on[faces[0].photo_hash]] == [
        f"long.mp4#{number}" for number in range(1, 7)
    ]


def test_faces_of_a_frame_exclude_each_other_but_those_of_a_video_do_not(scanned: Path) -> None:
    table = Library(scanned).faces
    assert len(set(table.photo_ids.tolist())) == len({face.picture for face in Library(scanned).occurrences})
    assert (table.shots[[face in _video_faces(scanned) for face in table.face_ids]] == -1).all()
    assert (~table.may_start_group).sum() == 1


def _video_faces(root: Path) -> set[str]:
    return {face.face_id for face in Library(root).occurrences if face.frame_time is not None}


def test_a_brief_face_joins_a_group_but_starts_none(scanned: Path, tmp_path: Path) -> None:
    (brief,) = (face.face_id for face in Library(scanned).occurrences if face.photo == "brief.mov")
    assert brief in Library(scanned).group_of
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("brief.mov", "again.mov"):
        shutil.copyfile(scanned / "brief.mov", alone / name)
    write_video(alone / "other.mov", [(2.0, [HOPPER])])
    library = Library(alone)
    assert library.scan(videos=True, workers=0).faces == 2
    library.cluster()
    assert library.persons == ()


def test_the_cache_check_knows_the_faces_of_videos(scanned: Path) -> None:
    done = run("cache", "check", "--library", scanned)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_next_scan_keeps_the_setting_and_opens_nothing(scanned: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(scanned, root)
    assert "videos = true" in (root / ".faceclust/config.toml").read_text()
    assert run("scan", root, "-j", "1").returncode == 0
    for path in root.glob("*.m*"):
        path.chmod(0)
    assert run("scan", root, "-j", "1").stdout.splitlines()[0] == "4 photos: 0 scanned, 4 unchanged"
    off = run("scan", root, "--no-videos", "-j", "1")
    assert off.stdout.startswith("2 photos: 0 scanned, 2 unchanged, 2 deleted")
    assert not _video_faces(root)


def test_commands_show_videos_with_a_time(scanned: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(scanned, root)
    assert run("name", "long.mp4#6", "Hopper", "--library", root, "--new").returncode == 0
    assert run("scan", root, "-j", "1").returncode == 0
    found = run("find", "Hopper", "--library", root, cwd=root)
    assert found.stdout.splitlines() == ["long.mp4", "brief.mov"]
    record = json.loads(run("find", "Hopper", "--library", root, "--json").stdout)["photos"][0]
    assert {face["frame_time"] for face in record["faces"]} <= {0, 2, 4, 6, 8, 10}
    rows = run("export", "--library", root).stdout.splitlines()
    assert "frame_time" in rows[0] and any(
        row.startswith("long.mp4") and row.split(",")[rows[0].split(",").index("frame_time")] in ("0.0", "2.0")
        for row in rows[1:]
    )
    assert run("report", "--library", root, "--out", tmp_path / "r.html").returncode == 0
    page = (tmp_path / "r.html").read_text()
    assert '<span class="time">0:0' in page and "no picture" not in page
    plan = run("export", "-f", "xmp", "--where", "sidecar", "--library", root, "--dry-run")
    assert "2 videos left out" in plan.stdout + plan.stderr and "mp4.xmp" not in plan.stdout
    drawn = run("face", "add", "long.mp4", "0.1,0.1,0.3,0.3", "--library", root)
    assert drawn.returncode == 2 and "drawn on photos only" in drawn.stderr
    again = run("scan", "--again", root / "long.mp4")
    assert again.returncode == 2 and "is a video" in again.stderr
    who = run("identify", root / "long.mp4", "--library", root)
    assert who.returncode == 0 and who.stdout.count("Hopper ") == 3


def test_forgotten_faces_of_a_video_stay_forgotten(scanned: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(scanned, root)
    run("name", "long.mp4#6", "Hopper", "--library", root, "--new")
    assert run("forget", "Hopper", "--yes", "--library", root).returncode == 0
    before = _video_faces(root)
    assert run("cache", "clear", "--yes", "--library", root).returncode == 0
    library = Library(root)
    library.scan(workers=0)
    assert _video_faces(root) == before and len(list(library.table.forgotten_occurrences())) == 4


def test_without_the_extra_videos_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "a.mp4", [(2.0, [COLLINS])])
    monkeypatch.setitem(EXTRA_MODULE_BY_REASON, SkipReason.NEEDS_VIDEO, "no_such_module_anywhere")
    assert Library(tmp_path).scan(workers=0).photos == 0
    assert Library(tmp_path).scan(videos=True, workers=0).skip_counts == {"needs faceclust[video]": 1}


def test_broken_videos_stop_nothing(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4", [(6.0, [COLLINS])]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(good[:2000])
    (tmp_path / "list.m4v").write_text("#EXTM3U\ngood.mp4\n")
    (tmp_path / "empty.avi").touch()
    result = run("scan", tmp_path, "--videos", "-j", "1", "--json")
    record = json.loads(result.stdout)
    assert record["faces"] == 3 and record["videos"] == 4
    assert {skip["photo"]: skip["reason"] for skip in record["skipped"]} == {
        "cut.mp4": "truncated file",
        "empty.avi": "empty file",
        "list.m4v": "not a video",
    }


def test_the_movie_of_a_live_photo_is_not_scanned(tmp_path: Path) -> None:
    save_photo(make_variant(COLLINS, 0), tmp_path / "IMG_1.jpg")
    write_video(tmp_path / "IMG_1.MOV", [(3.0, [COLLINS])])
    write_video(tmp_path / "IMG_2.MOV", [(3.0, [COLLINS])])
    result = run("scan", tmp_path, "--videos", "-j", "1")
    assert "2 photos: 2 scanned" in result.stdout
    assert "1 video among them" in result.stdout and "1 movie of Live Photos" in result.stdout
    assert set(Library(tmp_path).photos) == {"IMG_1.jpg", "IMG_2.MOV"}


def test_the_movie_at_the_end_of_a_motion_photo_is_not_examined(tmp_path: Path) -> None:
    """It shows somebody else, who would be found in it, and is long enough for several frames."""
    pytest.importorskip("pillow_heif")
    movie = write_video(tmp_path / "movie.mp4", [(6.0, [HOPPER])]).read_bytes()
    (tmp_path / "movie.mp4").unlink()
    heif_movie = (len(movie) + 8).to_bytes(4, "big") + b"mpvd" + movie  # as Google and Samsung store it
    for name, tail in (("PXL_1.MP.jpg", movie), ("PXL_2.MP.heic", heif_movie)):
        save_photo(make_variant(COLLINS, 0), tmp_path / name)
        with (tmp_path / name).open("ab") as stream:
            stream.write(tail)
    record = json.loads(run("scan", tmp_path, "--videos", "-j", "1", "--json").stdout)
    expected = {"photos": 2, "videos": 0, "frames": 0, "movies_of_photos": 0, "faces": 2, "skipped": []}
    assert {key: record[key] for key in expected} == expected
    assert {face.frame_time for face in Library(tmp_path).occurrences} == {None}


@pytest.mark.parametrize(
    ("videos", "frames", "movies", "text"),
    [
        (1, 1, 0, "1 video among them, 1 frame looked at"),
        (2, 0, 1, "2 videos among them; 1 movie of Live Photos and motion photos counts as the photo"),
        (0, 0, 1200, "0 videos among them; 1,200 movies of Live Photos and motion photos count as the photo"),
    ],
)
def test_the_summary_counts_videos_and_movies_of_photos(videos: int, frames: int, movies: int, text: str) -> None:
    assert _describe_videos(ScanResult(videos=videos, frames=frames, movies_of_photos=movies)) == text


def test_copies_and_moved_videos_are_known(scanned: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(scanned, root)
    faces = _video_faces(root)
    (root / "sub").mkdir()
    (root / "long.mp4").rename(root / "sub/renamed.mp4")
    result = Library(root).scan(workers=0)
    assert (result.copied, result.scanned) == (1, 0) and _video_faces(root) == faces


def test_faces_of_videos_are_named_with_a_time(scanned: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(scanned, root)
    assert run("name", "long.mp4#6", "Hopper", "--library", root, "--new").returncode == 0
    lines = run("identify", root / "long.mp4", "--library", root).stdout.splitlines()
    faces = json.loads(run("identify", root / "long.mp4", "--library", root, "--json").stdout)["photos"][0]["faces"]
    times = [face["frame_time"] for face in faces]
    assert times == sorted(times) and set(times) <= {0, 2, 4, 6, 8, 10}
    for number, (line, time) in enumerate(zip(lines, times, strict=True), start=1):
        assert f"#{number} at 0:{int(time):02}" in line or f"#{number}' at 0:{int(time):02}" in line
    people = run("people", "--library", root)
    best = json.loads(run("people", "--library", root, "--json").stdout)["people"][0]["best"]
    assert f" at 0:{int(best['frame_time']):02}" in people.stdout
    crops = json.loads(run("crops", "Hopper", tmp_path / "out", "--library", root, "--json", "--dry-run").stdout)[
        "crops"
    ]
    assert {crop["frame_time"] for crop in crops if crop["photo"] == "long.mp4"} <= set(times)
    photo = json.loads(run("identify", root / "collins0.jpg", "--library", root, "--json").stdout)["photos"][0]
    assert photo["faces"][0]["frame_time"] is None


def test_the_page_and_the_terminal_show_the_time_of_a_frame(scanned: Path) -> None:
    from faceclust.interview.presenter import QuestionPicture
    from faceclust.web.face_views import face_view

    places = Library(scanned).occurrences
    video = next(place for place in places if place.frame_time == 10)
    photo = next(place for place in places if place.frame_time is None)
    assert face_view(video)["time"] == "0:10" and "time" not in face_view(photo)
    assert QuestionPicture(video, "2", 2).caption_with_time == "2 at 0:10"
    assert QuestionPicture(photo, "2", 2).caption_with_time == "2"


def test_a_video_does_not_hide_the_copies_of_its_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def find(faces: FaceTable) -> PicturePairs:
        compared.append((len(faces), np.count_nonzero(~np.isnat(faces.taken_at))))
        return find_same_pictures(faces)

    moment = datetime(2019, 5, 17, 12, 34, 56)
    for name in ("party.jpg", "smaller.webp"):
        save_photo(make_variant(COLLINS, 2), tmp_path / name, taken=moment)
    save_photo(make_variant(HOPPER, 0), tmp_path / "hopper.jpg")
    texts = {"creation_time": f"{moment.isoformat()}Z"}
    write_video(tmp_path / "long.mp4", [(8.0, [COLLINS, HOPPER])], texts=texts)
    library = Library(tmp_path)
    library.scan(videos=True, workers=0)
    monkeypatch.setattr("faceclust.cluster.same_pictures._MAX_FACES_A_SECOND", 3)
    monkeypatch.setattr("faceclust.library.duplicates.find_same_pictures", find)
    (found,) = library.duplicates()
    assert {photo.photo for photo in found.photos} == {"party.jpg", "smaller.webp"}
    (collins,) = (face.face_id for face in library.occurrences if face.photo == "party.jpg")
    library.name([collins], "Collins")
    library.cluster()
    plan = library.plan_crops("Collins", tmp_path / "crops")
    (_, dated), of_collins = compared
    assert plan.copies == 1 and dated == 2 and of_collins == (2, 2)  # without the video, and then without Hopper
