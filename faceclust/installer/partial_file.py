"""A file that is on its way: what has come of it lies beside where it is to be, with a note of what
it belongs to, so that the next try goes on from there."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class PartialFileOrigin:
    """What a part is a part of: the SHA-256 that the whole file is to have, the address it came
    from, and the mark that server gave it (a strong ETag, RFC 9110, 8.8.3), None where it gave none."""

    sha256: str
    address: str
    etag: str | None


class PartialFile:
    """`<name>.part`, and its note `<name>.part.json`. Every method raises OSError where the disk
    does not do it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._origin_path = target.with_name(f"{target.name}.part.json")

    @property
    def paths(self) -> tuple[Path, Path]:
        """The files it may have on the disk."""
        return self.path, self._origin_path

    @property
    def size(self) -> int:
        """Bytes that have come."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def read_origin(self) -> PartialFileOrigin | None:
        """What it is a part of; None where there is none, or nothing can be told of it."""
        try:
            origin = PartialFileOrigin(**json.loads(self._origin_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        known = isinstance(origin.sha256, str) and isinstance(origin.address, str)
        return origin if known and (origin.etag is None or isinstance(origin.etag, str)) else None

    def restart(self, origin: PartialFileOrigin) -> None:
        """Start over, as a part of this. The old part goes first: a note never stands beside bytes
        that are not of what it says."""
        self.path.unlink(missing_ok=True)
        temporary = self._origin_path.with_name(f"{self._origin_path.name}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_text(json.dumps(asdict(origin)), encoding="utf-8")
            temporary.replace(self._origin_path)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove it."""
        for file in self.paths:
            file.unlink(missing_ok=True)

    def finish(self) -> None:
        """It is whole and right: put it where it is to be, in one step."""
        with self.path.open("rb+") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.target)
        self.remove()
