"""A file that is on its way: what has come of it lies beside where it is to be, with a note of what
it belongs to, so that the next try goes on from there."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """What a part is a part of: the SHA-256 that the whole file is to have, the address it came
    from, and the mark that server gave it (a strong ETag, RFC 9110, 8.8.3), None where it gave none."""

    sha256: str
    address: str
    etag: str | None


class Part:
    """`<name>.part`, and its note `<name>.part.json`. Every method raises OSError where the disk
    does not do it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")

    @property
    def files(self) -> tuple[Path, Path]:
        """The files it may have on the disk."""
        return self.path, self._note

    @property
    def size(self) -> int:
        """Bytes that have come."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def origin(self) -> Origin | None:
        """What it is a part of; None where there is none, or nothing can be told of it."""
        try:
            origin = Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        known = isinstance(origin.sha256, str) and isinstance(origin.address, str)
        return origin if known and (origin.etag is None or isinstance(origin.etag, str)) else None

    def begin(self, origin: Origin) -> None:
        """Start over, as a part of this. The old part goes first: a note never stands beside bytes
        that are not of what it says."""
        self.path.unlink(missing_ok=True)
        temporary = self._note.with_name(f"{self._note.name}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_text(json.dumps(asdict(origin)), encoding="utf-8")
            temporary.replace(self._note)
        finally:
            temporary.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove it."""
        for file in self.files:
            file.unlink(missing_ok=True)

    def finish(self) -> None:
        """It is whole and right: put it where it is to be, in one step."""
        with self.path.open("rb+") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.target)
        self.drop()
