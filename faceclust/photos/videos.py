"""Frames of video files, decoded by PyAV (the extra `video`).

A video is a hostile file like any photo. Its container is recognised by its first bytes, and FFmpeg gets an open
file instead of a path: playlists and references to other files lead nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from faceclust.files.own_files import UnsafeFileError
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, describe_content, has_photo_signature
from faceclust.photos.memory_limit import limit_memory_growth
from faceclust.photos.optional import load_extra
from faceclust.photos.reading import open_photo
from faceclust.photos.video_metadata import read_video_metadata
from faceclust.types import Metadata, PhotoRef, SkipReason, UInt8
from faceclust.types.frames import MAX_FRAME_TIME, MAX_FRAMES

#: Larger files are not read: their content is hashed as a whole.
MAX_VIDEO_BYTES = 16_000_000_000
#: Pixels of a frame, slightly more than 8K has. Decoders keep up to 17 frames.
MAX_FRAME_PIXELS = 36_000_000
#: Bytes that a video may take in memory. A frame of 8K in 10 bits has 108 MB. The index of a file of a few bytes may
#: declare millions of frames, and FFmpeg allocates it.
MAX_MEMORY = 2_500_000_000
#: Pixels of the shorter side; smaller videos are icons or previews.
MIN_FRAME_SIDE = 128
#: Seconds between two sampled frames, at least.
FRAME_INTERVAL = 2.0
_CHUNK_BYTES = 1 << 22
_HEAD_BYTES = 256  # two packets of a transport stream begin within these
_MAX_PACKETS = 2000  # between a place that was sought and the key frame after it
_MAX_PIXEL_RATIO = 4.0  # width to height of a pixel; others are errors
#: Seconds that the times of one frame may differ by, after they are rounded to float32.
_TIME_TOLERANCE = 2e-3

#: Types of the first box of an ISO base media or QuickTime file.
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_SIGNATURES = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
)
#: Places of the sync byte of two packets of a transport stream, without and with a time before each.
_SYNC_BYTES, _SYNC = ((0, 188), (4, 196)), 0x47
#: The decoders that cameras and phones need. Fewer decoders are fewer faults that a file can reach.
CODECS = frozenset(
    "av1 libdav1d dvvideo flv h263 h264 hevc mjpeg mpeg1video mpeg2video mpeg4 msmpeg4 msmpeg4v1 msmpeg4v2 prores"
    " vc1 vp8 vp9 wmv1 wmv2 wmv3".split()
)
#: Options of FFmpeg for the file and its decoders: no other file is opened, and no frame is too large.
_OPTIONS = {
    "protocol_whitelist": "none",
    "codec_whitelist": ",".join(sorted(CODECS)),
    "max_pixels": str(MAX_FRAME_PIXELS),
    "threads": "1",
}


@dataclass(frozen=True)
class VideoFrame:
    """A frame. `time`: seconds from the start, a float32. `pixels`: upright uint8 RGB (h, w, 3)."""

    time: float
    pixels: UInt8


def hash_video(path: Path, ref: PhotoRef) -> tuple[str, PhotoRef]:
    """Return the content hash of a video file, and `ref` with its present size and time.

    Raises OSError. Raises UndecodableError as `read_photo` does, for a file that does not begin like a video, and if
    the extra is not installed.
    """
    load_extra(SkipReason.NEEDS_VIDEO)
    with _open_regular(path) as stream:
        before = os.fstat(stream.fileno())
        detect_container(stream.read(_HEAD_BYTES))
        if before.st_size > MAX_VIDEO_BYTES:
            raise UndecodableError(SkipReason.TOO_LARGE, f"{before.st_size:,} bytes, the limit is {MAX_VIDEO_BYTES:,}")
        stream.seek(0)
        digest, left = hashlib.blake2b(digest_size=16), before.st_size
        while left > 0 and (part := stream.read(min(left, _CHUNK_BYTES))):
            digest.update(part)
            left -= len(part)
        after = os.fstat(stream.fileno())
    if left or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise UndecodableError(SkipReason.UNREADABLE, "it changed while being read")
    return digest.hexdigest(), replace(ref, size=after.st_size, mtime_ns=after.st_mtime_ns)


def detect_container(head: bytes) -> str:
    """Return FFmpeg's name of the container of a file that begins with `head`. Raises UndecodableError."""
    if not head:
        raise UndecodableError(SkipReason.EMPTY, "the file has no bytes")
    if has_photo_signature(head[:HEAD_BYTES]):
        raise UndecodableError(SkipReason.NOT_A_VIDEO, "it is a photo")
    if head[4:8] in _ISO_BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for signature, container in _SIGNATURES:
        if head.startswith(signature):
            return container
    if any(head[first : first + 1] == head[second : second + 1] == bytes([_SYNC]) for first, second in _SYNC_BYTES):
        return "mpegts"
    raise UndecodableError(SkipReason.NOT_A_VIDEO, describe_content(head[:HEAD_BYTES]))


def read_frames(path: Path, times: Iterable[float | None]) -> Iterator[tuple[float | None, UInt8]]:
    """Yield (time, pixels) of frames of a video, which is opened once; the frame of None is the first one.

    Frames that are missing or damaged are left out. Raises OSError. Raises UndecodableError for a file that cannot be
    decoded.
    """
    with open_video(path) as video:
        for time in times:
            pixels = video.frame_at(time) if time is not None else video.first_frame()
            if pixels is not None:
                yield time, pixels


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Open a video file for its frames. Raises OSError, UndecodableError."""
    av = load_extra(SkipReason.NEEDS_VIDEO)
    with _open_regular(path) as stream, limit_memory_growth(MAX_MEMORY):
        container = detect_container(stream.read(_HEAD_BYTES))
        stream.seek(0)
        with _translate_errors():
            opened = av.open(
                _NamelessFile(stream),
                format=container,
                options=_OPTIONS,
                metadata_errors="replace",
                io_open=_refuse_to_open,
            )
        with opened:
            with _translate_errors():
                video = Video(opened)
            yield video


class Video:
    """An open video. Its methods raise OSError and UndecodableError, whatever FFmpeg raised.

    `metadata`: its date if it is known with its time zone or in UTC, its camera and place.
    """

    def __init__(self, container: Any) -> None:
        from av.stream import Discard

        self._container = container
        if not container.streams.video:
            raise UndecodableError(SkipReason.NOT_A_VIDEO, "it has no moving pictures")
        self._stream = container.streams.video[0]
        for other in container.streams:
            if other is not self._stream:
                other.discard = Discard.all  # sound and the like are not even read
        self._decoder = self._stream.codec_context
        if self._decoder is None or self._decoder.name not in CODECS:
            name = self._decoder.name if self._decoder else "unknown"
            raise UndecodableError(SkipReason.FAILED, f"its codec is {name}, which faceclust does not decode")
        _check_frame_size(self._decoder.width, self._decoder.height)
        self._decoder.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
        self._decoder.thread_count = 1
        self._decoder.skip_frame = "NONKEY"

    @cached_property
    def metadata(self) -> Metadata:
        with _translate_errors():
            return read_video_metadata(self._container.metadata)

    @property
    def duration(self) -> float:
        """Seconds, as the file declares them; 0 if unknown."""
        seconds = (self._container.duration or 0) / 1e6
        return seconds if 0 < seconds < MAX_FRAME_TIME else 0.0

    def sample_frames(self) -> Iterator[VideoFrame]:
        """Yield key frames from the start to the end: at most one every FRAME_INTERVAL, and MAX_FRAMES in all.

        Frames that cannot be decoded are left out. In a long video, the times between are skipped, not read.
        """
        with _translate_errors():  # a caller's error is not raised here
            interval = max(FRAME_INTERVAL, self.duration / MAX_FRAMES)
            times = self._sample_all() if interval == FRAME_INTERVAL else self._sample_by_seeking(interval)
            earliest, count = 0.0, 0
            for time, packet in times:
                if time < earliest:
                    continue
                pixels = self._decode(packet)
                if pixels is not None:
                    earliest, count = time + FRAME_INTERVAL, count + 1
                    yield VideoFrame(_as_float32(time), pixels)
                if count == MAX_FRAMES:
                    return

    def first_frame(self) -> UInt8 | None:
        """Return the pixels of the first frame that can be decoded; None if all are damaged."""
        return next((frame.pixels for frame in self.sample_frames()), None)

    def frame_at(self, time: float) -> UInt8 | None:
        """Return the pixels of the key frame at a time that `sample_frames` yielded; None if it is missing."""
        with _translate_errors():
            for packets in (self._seek(time), self._sample_all()):
                for found, packet in packets:
                    if abs(_as_float32(found) - time) <= max(_TIME_TOLERANCE, time * 1e-6):
                        return self._decode(packet)
                    if found > time + FRAME_INTERVAL:
                        break
        return None

    def _sample_all(self) -> Iterator[tuple[float, Any]]:
        """Yield (time, packet) of all key frames from the start."""
        with contextlib.suppress(OSError):  # a stream without an index, which is at its start
            self._container.seek(self._container.start_time or 0, backward=True)
        yield from self._key_packets()

    def _sample_by_seeking(self, interval: float) -> Iterator[tuple[float, Any]]:
        """Yield (time, packet) of the key frame at or before each of MAX_FRAMES times."""
        last = -math.inf
        for number in range(MAX_FRAMES):
            found = next(self._seek(number * interval), None)
            if found is not None and found[0] > last:
                last = found[0]
                yield found

    def _seek(self, time: float) -> Iterator[tuple[float, Any]]:
        """Yield (time, packet) of the key frames from the one at or before a time."""
        start = self._container.start_time or 0
        try:
            self._container.seek(start + round((time + _TIME_TOLERANCE) * 1e6), backward=True)
        except (OSError, ValueError, OverflowError):
            return
        yield from self._key_packets(_MAX_PACKETS)

    def _key_packets(self, max_packets: int | None = None) -> Iterator[tuple[float, Any]]:
        start = float((self._stream.start_time or 0) * self._stream.time_base)
        for number, packet in enumerate(self._container.demux(self._stream)):
            if number == max_packets:
                return
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None or not packet.is_keyframe or packet.size == 0:
                continue
            time = max(0.0, float(stamp * self._stream.time_base) - start)
            if time <= MAX_FRAME_TIME:
                yield time, packet

    def _decode(self, packet: Any) -> UInt8 | None:
        """Decode a key frame by itself; None if it is damaged. Raises MemoryError, UndecodableError."""
        try:
            try:
                frames = [*self._decoder.decode(packet), *self._decoder.decode(None)]
            finally:
                self._decoder.flush_buffers()
            frames = [frame for frame in frames if not frame.is_corrupt]
            ratio = self._decoder.sample_aspect_ratio or self._stream.sample_aspect_ratio
            return _to_upright_pixels(frames[0], ratio) if frames else None
        except (MemoryError, UndecodableError):
            raise
        except Exception:  # of PyAV, NumPy or arithmetic with what the frame declares
            return None


def _to_upright_pixels(frame: Any, pixel_ratio: Fraction | None) -> UInt8:
    """Return RGB pixels, with square pixels and turned as the container asks."""
    _check_frame_size(frame.width, frame.height)
    from av.video.reformatter import Interpolation

    width = frame.width
    if pixel_ratio and 1 / _MAX_PIXEL_RATIO <= pixel_ratio <= _MAX_PIXEL_RATIO:
        width = round(frame.width * pixel_ratio)
        _check_frame_size(width, frame.height)
    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
    converted = frame.reformat(width=width, height=frame.height, format="rgb24", interpolation=exact, threads=1)
    pixels: UInt8 = np.rot90(converted.to_ndarray(), round(frame.rotation / 90) % 4)
    return np.ascontiguousarray(pixels)


def _check_frame_size(width: int, height: int) -> None:
    """Raise UndecodableError if a frame is too large to decode, or too small."""
    if width * height > MAX_FRAME_PIXELS:
        raise UndecodableError(SkipReason.TOO_LARGE, f"{width}×{height} pixels, the limit is {MAX_FRAME_PIXELS:,}")
    if min(width, height) < MIN_FRAME_SIDE:
        detail = f"{width}×{height} pixels, the shorter side must have at least {MIN_FRAME_SIDE}"
        raise UndecodableError(SkipReason.TOO_SMALL, detail)


def _as_float32(time: float) -> float:
    return float(np.float32(time))


def _open_regular(path: Path) -> BinaryIO:
    try:
        return open_photo(path)
    except UnsafeFileError as error:
        raise UndecodableError(SkipReason.NOT_A_VIDEO, str(error.strerror)) from error


class _NamelessFile:
    """An open file without its path, which FFmpeg would take for a place to look for others."""

    name = "video"

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.read, self.tell = stream, stream.read, stream.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place; −1 if it does not exist, as in a damaged file."""
        try:
            return self._stream.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


def _refuse_to_open(*_: object) -> None:
    raise PermissionError("a video opens no other file")


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise whatever FFmpeg and PyAV raise as UndecodableError, and OSError for a file that cannot be read."""
    from av import FFmpegError

    try:
        yield
    except UndecodableError:
        raise
    except MemoryError as error:
        detail = f"decoding it takes more memory than there is, or than the limit of {MAX_MEMORY / 1e9:g} GB"
        raise UndecodableError(SkipReason.TOO_LARGE, detail) from error
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, FFmpegError):
            raise
        raise UndecodableError(SkipReason.TRUNCATED, f"{type(error).__name__}: {error}") from error
