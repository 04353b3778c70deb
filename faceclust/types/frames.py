"""Frames of a video, and the pictures that faces are on: photos and frames."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Frames of a video in which a person has to be seen, for that person to start a group.
MIN_FRAMES_FOR_GROUP = 3
#: The id of a picture: the content hash of a photo, and the milliseconds of a frame of a video.
PICTURE_PATTERN = r"([0-9a-f]{32})(?:@([0-9]{1,10}))?"
#: Bounds of a frame's time in seconds, and of the frames that a scan samples from a video.
MAX_FRAME_TIME, MAX_FRAMES = 1e6, 200


@dataclass(frozen=True)
class FaceFrame:
    """The frame with a face of a video. `time`: seconds from the start, as float32 stores them. `frames_seen`:
    sampled frames of the video in which the person was seen."""

    time: float
    frames_seen: int


def to_milliseconds(frame_time: float) -> int:
    """Return the time of a frame, by which frames of a video differ."""
    return round(frame_time * 1000)


def is_same_frame(one: float | None, other: float | None) -> bool:
    """Are these the times of one frame of a video, or are both faces on photos? A journal has milliseconds."""
    return one is other if one is None or other is None else abs(one - other) < 2e-3


def picture_id(photo_hash: str, frame_time: float | None) -> str:
    """Return text that is equal for the faces of one picture: a photo, or one frame of a video."""
    return photo_hash if frame_time is None else f"{photo_hash}@{to_milliseconds(frame_time)}"


def split_picture_id(picture: str) -> tuple[str, float | None]:
    """Split what `picture_id` returns into the photo's hash and the frame's time in seconds; "" for other text."""
    found = re.fullmatch(PICTURE_PATTERN, picture)
    if found is None:
        return "", None
    return found[1], None if found[2] is None else int(found[2]) / 1000


def format_frame_time(frame_time: float) -> str:
    """Return a time in a video as minutes and seconds, such as "1:23", or "1:02:03" from an hour on."""
    hours, rest = divmod(int(frame_time), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
