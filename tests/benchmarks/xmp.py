"""The faces of exported sidecars as exiftool reads them, compared with the found faces.

    python -m tests.benchmarks.xmp FOLDER [--kind SUFFIX]...

Makes photos of two people in every format and EXIF orientation in FOLDER, which must not exist, exports
sidecars, and reads these with exiftool. Prints the largest distance in whole pixels between a side of a
box and the found one's, after the box is turned as a viewer turns the picture.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tests.support.xmp_round_trip import (
    ORIENTATIONS,
    RAW_ORIENTATIONS,
    SidecarErrors,
    make_named_library,
    make_oriented,
)


def main() -> None:
    """Export the sidecars and print a row for each orientation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", action="append", choices=[*ORIENTATIONS, "dng"], help="default: all")
    options = parser.parse_args()
    root = options.folder.resolve()
    kinds = dict.fromkeys(ORIENTATIONS, range(1, 9)) | {"dng": RAW_ORIENTATIONS}
    kinds = {kind: orientations for kind, orientations in kinds.items() if kind in (options.kind or kinds)}
    make_oriented(root, kinds)
    library = make_named_library(root)
    library.write_xmp(library.plan_xmp())
    measured = SidecarErrors(shutil.which("exiftool") or "exiftool", library)
    print(f"| orientation | {' | '.join(kinds)} |")
    print("|---" * (len(kinds) + 1) + "|")
    for orientation in range(1, 9):
        cells = []
        for ending, made_orientations in kinds.items():
            photo = f"{ending}-{orientation}.{ending}"
            found = [
                max(measured.measure(photo, scheme).values())
                for scheme in ("mwg", "mp")
                if orientation in made_orientations
            ]
            cells.append(", ".join(map(str, found)) or "–")
        print(f"| {orientation} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
