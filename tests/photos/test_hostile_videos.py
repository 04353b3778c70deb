"""Hostile and broken videos get a reason, whatever FFmpeg raises, in bounded memory."""

from __future__ import annotations

import math
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust.photos.errors import UndecodableError
from faceclust.photos.memory_limit import _memory_in_use
from faceclust.photos.videos import Video, hash_video, open_video, read_frames
from faceclust.types import PhotoRef, SkipReason
from tests.benchmarks.mutants import VIDEOS, make_mutant
from tests.support.sample_photos import COLLINS
from tests.support.sample_videos import write_video

av = pytest.importorskip("av")
SIZE = (160, 128)
SECONDS = 5.0
_AVC1 = b"avc1" + bytes(6)  # not the brand in the first box


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "v.mp4", [(SECONDS, [])], size=SIZE)


def patch(original: Path, tmp_path: Path, *changes: tuple[bytes, int, bytes]) -> Path:
    """Write a copy with bytes replaced at an offset after the first place of a box's type."""
    data = bytearray(original.read_bytes())
    for kind, offset, new in changes:
        at = data.index(kind) + 4 + offset
        data[at : at + len(new)] = new
    path = tmp_path / "patched.mp4"
    path.write_bytes(data)
    return path


def read_times(path: Path) -> list[float]:
    with open_video(path) as video:
        return [frame.time for frame in video.sample_frames()]


def reason_of(path: Path) -> SkipReason:
    with pytest.raises(UndecodableError) as raised:
        read_times(path)
    assert str(raised.value)
    return raised.value.reason


@pytest.mark.parametrize("format", VIDEOS)
def test_damaged_videos_raise_documented_errors_only(format: str, tmp_path: Path) -> None:
    path, refused = tmp_path / "mutant.mp4", 0
    for number in range(24):
        path.write_bytes(make_mutant(format, 5, number))
        try:
            frames = dict(read_frames(path, [None, 2.0]))
            assert all(picture.ndim == 3 for picture in frames.values())
        except UndecodableError:
            refused += 1
    assert 0 < refused < 24


ERRORS: list[Any] = [
    *(IndexError, OverflowError, ZeroDivisionError, TypeError, RuntimeError),
    *(getattr(av.error, name) for name in ("BugError", "EOFError", "InvalidDataError", "PatchWelcomeError")),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_a_frame_whose_decoder_raises_is_left_out(
    original: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error(1, "") if issubclass(error, av.FFmpegError) else error

    monkeypatch.setattr("faceclust.photos.videos._to_upright_pixels", fail)
    assert read_times(original) == []
    monkeypatch.setattr(Video, "_key_packets", fail)
    assert reason_of(original) is SkipReason.TRUNCATED


@pytest.mark.parametrize("error", [MemoryError(), av.error.MemoryError(12, "")], ids=["Python", "FFmpeg"])
def test_a_lack_of_memory_is_not_tried_again_by_each_scan(
    original: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("faceclust.photos.videos._to_upright_pixels", fail)
    assert reason_of(original) is SkipReason.TOO_LARGE


def test_errors_of_the_caller_and_of_the_disk_stay_what_they_are(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ZeroDivisionError), open_video(original) as video:
        next(video.sample_frames())
        raise ZeroDivisionError
    monkeypatch.setattr(Video, "_key_packets", lambda *_: os.open("/nowhere", os.O_RDONLY))
    with pytest.raises(FileNotFoundError):
        read_times(original)


def test_a_file_with_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(os.fspath(path), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 48000
        container.mux([*sound.encode(frame), *sound.encode()])
    assert reason_of(path) is SkipReason.NOT_A_VIDEO


def test_a_video_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "none.avi"
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height = SIZE
        container.start_encoding()
    assert read_times(path) == [] and list(read_frames(path, [None, 0.0])) == []
    path.write_bytes(path.read_bytes()[:300])
    assert reason_of(path) is SkipReason.TRUNCATED


def test_a_turn_of_45_degrees_is_rounded_to_a_quarter(original: Path, tmp_path: Path) -> None:
    for degrees, shape in ((45, SIZE[::-1]), (50, SIZE), (-130, SIZE), (170, SIZE[::-1])):
        cosine, sine = (round(f(math.radians(degrees)) * 65536) for f in (math.cos, math.sin))
        matrix = struct.pack(">9i", cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 30)
        ((_, picture),) = read_frames(patch(original, tmp_path, (b"tkhd", 40, matrix)), [None])
        assert picture.shape == (*shape, 3), degrees
    for value in (b"\0", b"\x80", b"\x7f", b"\xff"):
        ((_, picture),) = read_frames(patch(original, tmp_path, (b"tkhd", 40, value * 36)), [None])
        assert sorted(picture.shape) == [3, *sorted(SIZE)]


@pytest.mark.parametrize("first", [-(10**6), -1, 10**6])
def test_times_start_at_zero_whatever_the_file_starts_with(first: int, tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    with av.open(os.fspath(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("mjpeg", rate=1, options={"strict": "unofficial"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuvj420p"
        for number in range(5):
            frame = av.VideoFrame(*SIZE, "yuvj420p")
            frame.pts = first + number
            container.mux(stream.encode(frame))
    assert all(0 <= time <= 10 for time in read_times(path))


def test_frames_without_a_time_are_left_out(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_video(original) as video:
        packets = list(video._container.demux(video._stream))
        for packet in packets[:3]:
            packet.pts = packet.dts = None
        monkeypatch.setattr(video, "_container", _Packets(packets))
        assert [time for time, _ in video._key_packets()] == [2, 3, 4]


class _Packets:
    def __init__(self, packets: list[Any]) -> None:
        self._packets = packets

    def demux(self, _: object) -> list[Any]:
        return self._packets


def test_a_declared_size_beyond_the_limit_is_not_allocated(original: Path, tmp_path: Path) -> None:
    """FFmpeg takes the size of H.264 from its stream, and that of MJPEG from each frame."""
    largest = struct.pack(">HH", 65535, 65535)
    ((_, picture),) = read_frames(patch(original, tmp_path, (_AVC1, 24, largest)), [None])
    assert picture.shape[0] == SIZE[1] and picture.shape[1] <= 4 * SIZE[0]
    path = write_video(tmp_path / "v.avi", [(2.0, [])], codec="mjpeg", size=SIZE)
    data = path.read_bytes()
    at = data.index(b"\xff\xc0") + 5
    for size in (largest, struct.pack(">HH", 8000, 4600)):
        path.write_bytes(data.replace(data[at - 5 : at + 4], data[at - 5 : at] + size))
        assert list(read_frames(path, [None])) == []
    both = path.read_bytes().replace(struct.pack("<II", *SIZE), struct.pack("<II", 8000, 4600))
    path.write_bytes(both)
    with pytest.raises(UndecodableError):
        list(read_frames(path, [None]))


@pytest.mark.parametrize("seconds", [10**6 - 1, 40 * 365 * 86400])
def test_a_duration_of_days_or_years(original: Path, tmp_path: Path, seconds: int) -> None:
    (scale,) = struct.unpack_from(">I", original.read_bytes(), original.read_bytes().index(b"mvhd") + 16)
    duration = struct.pack(">I", min(seconds * scale, 2**32 - 1))
    with open_video(patch(original, tmp_path, (b"mvhd", 16, duration), (b"tkhd", 20, duration))) as video:
        assert 0 <= video.duration < 10**6
        times = [frame.time for frame in video.sample_frames()]
    assert times and max(times) < SECONDS


def test_a_file_that_shrinks_while_it_is_read(original: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [(30.0, [COLLINS])], size=SIZE, codec="mjpeg")
    with open_video(path) as video:
        frames = video.sample_frames()
        assert next(frames).time == 0
        os.truncate(path, path.stat().st_size // 2)
        assert 0 < len(list(frames)) < 14
        os.truncate(path, 0)
        assert video.frame_at(0.0) is None
    path.write_bytes(original.read_bytes())

    def shrink(_: bytes) -> str:
        os.truncate(path, 1000)
        return "mov"

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("faceclust.photos.videos.detect_container", shrink)
        with pytest.raises(UndecodableError) as raised:
            hash_video(path, PhotoRef("v.mp4", 0, 0))
    assert raised.value.reason is SkipReason.UNREADABLE


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory exists on Linux only")
def test_an_index_that_declares_millions_of_frames_takes_bounded_memory(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg allocates and fills the index that a few bytes declare, for each track."""
    import resource

    count = 4_000_000
    changes = [
        (b"stsz", 4, struct.pack(">II", 1, count)),
        (b"stsc", 4, struct.pack(">IIII", 1, 1, count, 1)),
        (b"stts", 4, struct.pack(">II", 1, count)),
    ]
    path, before = patch(original, tmp_path, *changes), resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setattr("faceclust.photos.videos.MAX_MEMORY", 64_000_000)
    with open_video(original):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before, "this process is not a worker"
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "a parent")
    with pytest.MonkeyPatch.context() as patched:
        seen: list[int] = []
        patched.setattr(
            "faceclust.photos.videos.Video", lambda _: seen.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
        )
        used = _memory_in_use()
        assert used is not None
        with open_video(original), open_video(original):
            pass
    assert used < seen[0] < used + 2 * 64_000_000 and resource.getrlimit(resource.RLIMIT_DATA) == before
    peak = _measure_memory()
    assert _times_or_none(path) in ([], None)
    assert _measure_memory() - peak < 100_000_000
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def _times_or_none(path: Path) -> list[float] | None:
    try:
        return read_times(path)
    except UndecodableError:
        return None


def _measure_memory() -> int:
    """Return the peak memory of this process since its start, in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.partition("VmHWM:")[2].split()[0])
