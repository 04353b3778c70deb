"""Where exiftool finds the faces of exported sidecars, beside where they were found.

    python tests/benchmarks/xmp.py FOLDER

Makes photos of two people in every EXIF orientation in FOLDER (which must not be there yet), exports
sidecars beside them, and has exiftool read these. Prints the largest distance, in whole pixels, of a
box's side from the found one's, once the box is turned as a viewer turns the picture.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tests.support.xmp_round_trip import KINDS, RAW_ORIENTATIONS, Measured, make_oriented, named_library


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    ask.add_argument("folder", type=Path)
    root = ask.parse_args().folder.resolve()
    kinds = dict.fromkeys(KINDS, range(1, 9)) | {"dng": RAW_ORIENTATIONS}
    make_oriented(root, kinds)
    library = named_library(root)
    library.write_xmp(library.plan_xmp())
    measured = Measured(shutil.which("exiftool") or "exiftool", library)
    print(f"| orientation | {' | '.join(kinds)} |")
    print("|---" * (len(kinds) + 1) + "|")
    for orientation in range(1, 9):
        cells = []
        for ending, made in kinds.items():
            photo = f"{ending}-{orientation}.{ending}"
            found = [max(measured.errors(photo, scheme).values()) for scheme in ("mwg", "mp") if orientation in made]
            cells.append(", ".join(map(str, found)) or "–")
        print(f"| {orientation} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
