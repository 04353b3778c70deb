"""Files on this disk that may be a pack's: single ones, or members of the zips they come in."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from faceclust.errors import PackError
from faceclust.installer.archives import open_zip
from faceclust.packs.pack import Pack, PackFile

_BLOCK_SIZE = 1 << 20
_MAX_FILE_SIZE = 3 << 30  # bytes: ONNX files cannot have more than 2 GiB
_MAX_MEMBERS = 64
_DOWNLOAD_HINT = "download it again"


@dataclass(frozen=True)
class CandidateFile:
    """A file, or the `member` of a zip, with its size in bytes and its SHA-256."""

    path: Path
    member: str | None
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name if self.member else self.path.name

    def copy_to(self, target: Path) -> None:
        """Copy it into a new file. Raises PackError where it is no longer what it was, or the disk
        does not take it."""
        try:
            with _open_candidate(self.path, self.member) as source, target.open("xb") as out:
                digest = hashlib.sha256()
                while block := source.read(_BLOCK_SIZE):
                    digest.update(block)
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise PackError(f"{self.name} cannot be copied to {target.parent}: {error.strerror or error}") from error
        if digest.hexdigest() != self.sha256:
            raise PackError(f"{self.path} has changed meanwhile", hint="try again")


def find_candidates(paths: Sequence[Path]) -> list[CandidateFile]:
    """What these files offer: themselves, or, of zips, each ONNX file in them. Raises PackError for
    one that cannot be read, or a zip without such."""
    found = []
    for path in paths:
        if path.is_dir():
            raise PackError(f"{path} is a folder", hint="name the files in it")
        try:
            members = _onnx_members(path) if zipfile.is_zipfile(path) else [None]
        except OSError as error:
            raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
        found += [_hash_candidate(path, member) for member in members]
    return found


def match_candidates(
    pack: Pack, candidates: Sequence[CandidateFile], needed: Sequence[PackFile]
) -> dict[str, CandidateFile]:
    """Which of those offered is which of the files needed, by name: the one of the right SHA-256;
    where nobody has said which that is, the one of the name, or the only one. Raises PackError for
    a file that is not the right one, is lacking, or is none of the pack's."""
    chosen: dict[str, CandidateFile] = {}
    for file in needed:
        right = [one for one in candidates if one.sha256 == file.sha256]
        named = [one for one in candidates if one.name in _possible_names(file)]
        if file.sha256 is not None and not right and named:
            raise _wrong_hash_error(named[0], file, pack)
        if take := right or (named if file.sha256 is None else []):
            chosen[file.name] = take[0]
    lacking = [file for file in needed if file.name not in chosen]
    left = [one for one in candidates if one not in chosen.values()]
    if len(lacking) == 1 and lacking[0].sha256 is None and len(left) == 1:
        chosen[lacking[0].name] = left[0]
        lacking = []
    if lacking:
        where = "; ".join(f"{file.name} from {file.url}" for file in lacking if file.url)
        names = ", ".join(file.name for file in lacking)
        raise PackError(
            f"the pack {pack.name!r} needs {names} as well", hint=f"get {where}" if where else "add it to the command"
        )
    known = {file.sha256 for file in pack.files}
    used = {one.path for one in [*chosen.values(), *(one for one in candidates if one.sha256 in known)]}
    for one in candidates:
        if one.path not in used:
            for file in needed:
                if one.name in _possible_names(file):
                    raise _wrong_hash_error(one, file, pack)
            raise PackError(f"{one.path} is none of the files of the pack {pack.name!r}", hint=_list_pack_files(pack))
    return chosen


def _wrong_hash_error(candidate: CandidateFile, file: PackFile, pack: Pack) -> PackError:
    return PackError(
        f"{candidate.path} is not the {file.name} of the pack {pack.name!r}: its SHA-256 is {candidate.sha256}, "
        f"not {file.sha256}",
        hint="download it again, or another version of it",
    )


def _possible_names(file: PackFile) -> set[str]:
    """What the file may be called where it comes from."""
    return {
        file.name,
        PurePosixPath(file.member or file.name).name,
        PurePosixPath(urlsplit(file.url or "").path).name or file.name,
    }


def _list_pack_files(pack: Pack) -> str:
    return f"it is made of {', '.join(file.name for file in pack.files if not file.embedded)}"


def _onnx_members(path: Path) -> list[str | None]:
    with open_zip(path, "a model", _DOWNLOAD_HINT) as opened:
        members: list[str | None] = [
            one.filename
            for one in opened.infolist()
            if one.filename.endswith(".onnx") and one.file_size <= _MAX_FILE_SIZE
        ]
    if not members:
        raise PackError(f"{path} is a zip without an ONNX file in it", hint="a PyTorch file has to be exported to ONNX")
    return members[:_MAX_MEMBERS]


def _hash_candidate(path: Path, member: str | None) -> CandidateFile:
    digest, size = hashlib.sha256(), 0
    try:
        with _open_candidate(path, member) as stream:
            while block := stream.read(_BLOCK_SIZE):
                digest.update(block)
                size += len(block)
                if size > _MAX_FILE_SIZE:
                    raise PackError(f"{path} is larger than an ONNX file can be")
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
    return CandidateFile(path, member, size, digest.hexdigest())


@contextmanager
def _open_candidate(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    if member is None:
        with path.open("rb") as stream:
            yield stream
        return
    with open_zip(path, member, _DOWNLOAD_HINT) as archive, archive.open(member) as inside:
        yield inside


def installed_files(pack: Pack) -> Mapping[str, CandidateFile]:
    """A pack's own files that are there, by name, as they lie in its folder."""
    return {
        file.name: _hash_candidate(pack.path(file.name), None)
        for file in pack.files
        if not file.embedded and pack.path(file.name).is_file()
    }
