"""Frames of videos, and files that only look like videos."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceclust.photos.errors import UndecodableError
from faceclust.photos.live_photos import is_movie_of_photo
from faceclust.photos.thumbnails import THUMBNAIL_SIDE, is_thumbnail, make_face_thumbnails
from faceclust.photos.video_metadata import read_video_metadata
from faceclust.photos.videos import FRAME_INTERVAL, hash_video, open_video, read_frames
from faceclust.types import FaceOccurrence, PhotoRef, SkipReason
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.sample_videos import SIZE, draw_frame, write_video

pytest.importorskip("av")
REF = PhotoRef("video", 0, 0)
SCENES = [(8.0, [COLLINS, HOPPER]), (4.0, [HOPPER])]
FORMATS = [
    ("a.mp4", "libx264"),
    ("b.avi", "mpeg4"),
    ("c.mkv", "libx264"),
    ("d.webm", "libvpx-vp9"),
    ("e.MTS", "libx264"),
    ("f.wmv", "wmv2"),
    ("g.mov", "mjpeg"),
    ("h.3gp", "mpeg4"),
    ("i.m2ts", "mpeg2video"),
]


def sample_times(path: Path) -> list[float]:
    with open_video(path) as video:
        return [frame.time for frame in video.sample_frames()]


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_key_frames_of_every_container(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, SCENES, codec=codec, rate=25 if codec == "mpeg2video" else 2, key_interval=2)
    with open_video(path) as video:
        frames = list(video.sample_frames())
        assert video.duration == pytest.approx(12, abs=0.2)
    assert [frame.time for frame in frames] == pytest.approx([0, 2, 4, 6, 8, 10], abs=0.1)
    assert all(frame.pixels.shape == (*SIZE[::-1], 3) for frame in frames)
    if codec != "mpeg2video":
        wanted = [draw_frame(SCENES[0][1] if t < 8 else SCENES[1][1], t * 2) for t in (0, 2, 4, 6, 8, 10)]
        for frame, picture in zip(frames, wanted, strict=True):
            assert np.abs(frame.pixels.astype(int) - picture).mean() < 12
    found = dict(read_frames(path, [frame.time for frame in reversed(frames)]))
    assert all((found[frame.time] == frame.pixels).all() for frame in frames)


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_a_turned_video_is_shown_upright(tmp_path: Path, turn: int) -> None:
    path = write_video(tmp_path / "turned.mp4", [(2.0, [COLLINS])], turn=turn)
    with open_video(path) as video:
        frame = next(video.sample_frames())
    assert frame.pixels.shape == (*SIZE[::-1], 3)
    assert np.abs(frame.pixels.astype(int) - draw_frame([COLLINS], 0)).mean() < 12


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", [(2.0, [COLLINS])], pixel_ratio=Fraction(2))
    with open_video(path) as video:
        assert next(video.sample_frames()).pixels.shape == (SIZE[1], 2 * SIZE[0], 3)


def test_a_long_video_is_sampled_over_its_whole_length(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", [(700.0, [])], size=(160, 128))
    times = sample_times(path)
    assert 150 <= len(times) <= 200 and times[0] == 0 and times[-1] > 690
    assert np.diff(times).min() >= FRAME_INTERVAL and np.diff(times).max() <= 2 * 3.5
    assert [time for time, _ in read_frames(path, [times[-1], times[100]])] == [times[-1], times[100]]


def test_rare_key_frames_are_all_there_is(tmp_path: Path) -> None:
    path = write_video(tmp_path / "rare.mp4", [(20.0, [])], size=(160, 128), key_interval=14)
    assert sample_times(path) == [0, 7, 14]


def describe_failure(path: Path) -> SkipReason:
    with pytest.raises(UndecodableError) as raised:
        hash_video(path, REF)
        assert not sample_times(path)
        raise UndecodableError(SkipReason.TRUNCATED, "no frames")
    return raised.value.reason


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", [(4.0, [COLLINS])]).read_bytes()
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(video)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    contents = {
        b"": SkipReason.EMPTY,
        playlist: SkipReason.NOT_A_VIDEO,
        f"ffconcat version 1.0\nfile {secret}\n".encode(): SkipReason.NOT_A_VIDEO,
        b"\xff\xd8\xff\xe0" + video: SkipReason.NOT_A_VIDEO,
        b"const x: number = 1;\n" * 99: SkipReason.NOT_A_VIDEO,
        b"\0\0\0\x18ftypheic": SkipReason.NOT_A_VIDEO,
        b"\0\0\0\x14ftypisom\0\0\0\0isom" + playlist: SkipReason.TRUNCATED,
        b"\x1aE\xdf\xa3" + playlist: SkipReason.TRUNCATED,
        video[: len(video) // 2]: SkipReason.TRUNCATED,
    }
    for number, (content, reason) in enumerate(contents.items()):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        assert describe_failure(path) is reason, content[:40]


def test_symlinks_folders_and_pipes_are_no_videos(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [(2.0, [])])
    (tmp_path / "link.mp4").symlink_to(path)
    (tmp_path / "folder.mp4").mkdir()
    for name in ("link.mp4", "folder.mp4"):
        assert describe_failure(tmp_path / name) is SkipReason.NOT_A_VIDEO


def test_limits_on_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = write_video(tmp_path / "small.mp4", [(2.0, [])], size=(96, 64))
    assert describe_failure(small) is SkipReason.TOO_SMALL
    path = write_video(tmp_path / "v.mp4", [(2.0, [])])
    monkeypatch.setattr("faceclust.photos.videos.MAX_FRAME_PIXELS", 100_000)
    assert describe_failure(path) is SkipReason.TOO_LARGE
    monkeypatch.setattr("faceclust.photos.videos.MAX_VIDEO_BYTES", 100)
    assert describe_failure(path) is SkipReason.TOO_LARGE


def test_a_codec_that_no_camera_uses_is_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [(2.0, [])], codec="ffv1")
    assert describe_failure(path) is SkipReason.FAILED


def test_metadata_of_phones_and_cameras() -> None:
    iphone = {
        "creation_time": "2019-05-17T12:34:56.000000Z",
        "com.apple.quicktime.creationdate": "2019-05-17T14:34:56+0200",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 12",
        "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050+034.000/",
    }
    found = read_video_metadata(iphone)
    assert found.taken_at == datetime(2019, 5, 17, 14, 34, 56) and found.taken_at_source == "video"
    assert (found.latitude, found.longitude, found.camera) == (52.52, 13.405, "Apple iPhone 12")
    android = read_video_metadata({"creation_time": "2019-05-17T12:34:56.000000Z", "location": "-33.8568+151.2153/"})
    assert android.taken_at == datetime(2019, 5, 17, 12, 34, 56) and android.latitude == -33.8568
    for text in ("", "1904-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z", "yesterday", "\x1b[31m"):
        assert read_video_metadata({"creation_time": text}).taken_at is None
    for place in ("+95.0+013.0/", "+00.0000+000.0000/", "52.5,13.4", "+1+" + "9" * 90):
        assert read_video_metadata({"location": place}).latitude is None


def test_the_movie_of_a_live_photo_belongs_to_it(tmp_path: Path) -> None:
    photo = tmp_path / "IMG_1.jpg"
    identifier = b"0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9"
    photo.write_bytes(b"\xff\xd8\xff\xe1" + identifier)
    short = write_video(tmp_path / "short.mov", [(3.0, [])])
    long = write_video(tmp_path / "long.mov", [(9.0, [])])
    assert is_movie_of_photo(short, photo) and not is_movie_of_photo(long, photo)
    assert not is_movie_of_photo(tmp_path / "missing.mov", photo) and not is_movie_of_photo(photo, photo)
    for key, is_movie in (("com.apple.quicktime.content.identifier", True), ("comment", False)):
        data = bytearray(long.read_bytes())
        start = data.find(b"moov") - 4
        size = int.from_bytes(data[start : start + 4], "big")
        meta = b"meta" + b"mdta" + key.encode() + b"ilst" + b"\0" * 16 + identifier
        data[start : start + 4] = (size + len(meta) + 4).to_bytes(4, "big")
        data[start + size : start + size] = (len(meta) + 4).to_bytes(4, "big") + meta
        (tmp_path / "marked.mov").write_bytes(data)
        assert is_movie_of_photo(tmp_path / "marked.mov", photo) is is_movie


def test_thumbnails_come_from_the_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", SCENES)
    place = FaceOccurrence("0" * 16, "v.mp4", "0" * 32, (0.2, 0.1, 0.4, 0.5), SIZE, 1.0, 1.0, None, frame_time=8.0)
    missing = FaceOccurrence("1" * 16, "v.mp4", "0" * 32, (0.2, 0.1, 0.4, 0.5), SIZE, 1.0, 1.0, None, frame_time=7.3)
    gone = FaceOccurrence("2" * 16, "no.mp4", "0" * 32, (0.2, 0.1, 0.4, 0.5), SIZE, 1.0, 1.0, None, frame_time=8.0)
    ((face, picture),) = make_face_thumbnails(tmp_path, [place, missing, gone])
    assert face == place.face_id and is_thumbnail(picture) and THUMBNAIL_SIDE
