"""A partly downloaded file beside its target, with a note of its origin, so that downloads resume."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from faceclust.files.output_files import write_own_atomically


@dataclass(frozen=True)
class PartialFileOrigin:
    """The origin of a partial file: the SHA-256 of the complete file, the URL it comes from, and
    the server's strong ETag (RFC 9110, 8.8.3), if it sent one."""

    sha256: str
    address: str
    etag: str | None


class PartialFile:
    """The file `<name>.part` and its note `<name>.part.json`. Methods raise OSError if the disk fails."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._origin_path = target.with_name(f"{target.name}.part.json")

    @property
    def paths(self) -> tuple[Path, Path]:
        """The partial file and its note; either may be missing."""
        return self.path, self._origin_path

    @property
    def size(self) -> int:
        """Bytes downloaded so far."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def read_origin(self) -> PartialFileOrigin | None:
        """Read the note; None if it is missing or invalid."""
        try:
            origin = PartialFileOrigin(**json.loads(self._origin_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        valid = isinstance(origin.sha256, str) and isinstance(origin.address, str)
        return origin if valid and (origin.etag is None or isinstance(origin.etag, str)) else None

    def restart(self, origin: PartialFileOrigin) -> None:
        """Discard the partial file and note a new origin. The old bytes go first, so that a note
        never describes bytes of another origin."""
        self.path.unlink(missing_ok=True)
        write_own_atomically(self._origin_path, json.dumps(asdict(origin)).encode())

    def remove(self) -> None:
        """Delete the partial file and its note."""
        for file in self.paths:
            file.unlink(missing_ok=True)

    def finish(self) -> None:
        """Move the complete, verified file to its target atomically, and delete the note."""
        with self.path.open("rb+") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.target)
        self.remove()
