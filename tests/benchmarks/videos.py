"""Measure what a scan of videos costs: seconds of one core for a minute of video, by stage.

The videos are made of the two public-domain portraits, which move over a background.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from faceclust import Library
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.sample_videos import write_video


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the video")
    parser.add_argument("--rate", type=int, default=30, help="frames a second; a key frame comes once a second")
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--codec", default="libx264")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        scenes = [(options.seconds / 2, [COLLINS, HOPPER]), (options.seconds / 2, [])]
        write_video(
            path,
            scenes,
            codec=options.codec,
            size=(options.width, options.height),
            rate=options.rate,
            key_interval=options.rate,
        )
        began = time.monotonic()
        result = Library(folder).scan(videos=True, workers=1)
        spent = {stage: round(seconds, 2) for stage, seconds in result.stage_seconds.items()}
        minutes = options.seconds / 60
        print(f"{path.stat().st_size / 1e6:.1f} MB, {result.frames} frames, {result.faces} faces kept: {spent}")
        print(f"{sum(spent.values()) / minutes:.1f} s of one core a minute ({time.monotonic() - began:.1f} s in all)")


if __name__ == "__main__":
    main()
