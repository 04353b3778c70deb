"""Match files on this disk, or members of zips, with the files that a pack needs."""

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
from faceclust.installer.archives import BLOCK_SIZE, open_zip
from faceclust.packs.other_formats import ZIP_SIGNATURE, other_format_error
from faceclust.packs.pack import Pack, PackFile

_MAX_FILE_SIZE = 3 << 30  # bytes; ONNX files are limited to 2 GiB
_MAX_MEMBERS = 64
_DOWNLOAD_HINT = "download it again"


@dataclass(frozen=True)
class CandidateFile:
    """A file, or a `member` of a zip, with its size in bytes and its SHA-256."""

    path: Path
    member: str | None
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name if self.member else self.path.name

    def copy_to(self, target: Path) -> None:
        """Copy the candidate to a new file. Raises PackError if its content has changed or the copy
        fails."""
        try:
            with _open_candidate(self.path, self.member) as source, target.open("xb") as out:
                digest = hashlib.sha256()
                while block := source.read(BLOCK_SIZE):
                    digest.update(block)
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise PackError(f"{self.name} cannot be copied to {target.parent}: {error.strerror or error}") from error
        if digest.hexdigest() != self.sha256:
            raise PackError(f"{self.path} changed while it was read", hint="try again")


def find_candidates(paths: Sequence[Path]) -> list[CandidateFile]:
    """Return the candidates among these files: each file itself, or the ONNX files in a zip. Raises
    PackError if a file cannot be read or a zip contains no ONNX file."""
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
    """Match each needed file with a candidate, and return the candidates by file name.

    A file with a SHA-256 matches by that. A file without one matches by name, or by being the only
    candidate left. Raises PackError if a file is missing, if a candidate has the name of a file but
    another hash, or if it does not belong to the pack.
    """
    matches = {file.name: _find_match(file, candidates, pack) for file in needed}
    chosen = {name: candidate for name, candidate in matches.items() if candidate is not None}
    missing = [file for file in needed if file.name not in chosen]
    unmatched = [candidate for candidate in candidates if candidate not in chosen.values()]
    if len(missing) == len(unmatched) == 1 and missing[0].sha256 is None:
        chosen[missing[0].name] = unmatched[0]
        missing = []
    if missing:
        raise _missing_files_error(missing, pack)
    _reject_foreign_files(candidates, chosen, needed, pack)
    return chosen


def _find_match(file: PackFile, candidates: Sequence[CandidateFile], pack: Pack) -> CandidateFile | None:
    by_name = next((candidate for candidate in candidates if candidate.name in _possible_names(file)), None)
    if file.sha256 is None:
        return by_name
    by_hash = next((candidate for candidate in candidates if candidate.sha256 == file.sha256), None)
    if by_hash is None and by_name is not None:
        raise _wrong_hash_error(by_name, file, pack)
    return by_hash


def _reject_foreign_files(
    candidates: Sequence[CandidateFile], chosen: Mapping[str, CandidateFile], needed: Sequence[PackFile], pack: Pack
) -> None:
    """Raise PackError if a path was given that contributes no file of the pack."""
    pack_hashes = {file.sha256 for file in pack.files}
    used = {candidate.path for candidate in chosen.values()}
    used |= {candidate.path for candidate in candidates if candidate.sha256 in pack_hashes}
    foreign = next((candidate for candidate in candidates if candidate.path not in used), None)
    if foreign is None:
        return
    namesake = next((file for file in needed if foreign.name in _possible_names(file)), None)
    if namesake is not None:
        raise _wrong_hash_error(foreign, namesake, pack)
    raise PackError(f"{foreign.path} is not a file of the pack {pack.name!r}", hint=_list_pack_files(pack))


def _missing_files_error(missing: Sequence[PackFile], pack: Pack) -> PackError:
    names = ", ".join(file.name for file in missing)
    sources = "; ".join(f"{file.name} from {file.url}" for file in missing if file.url)
    return PackError(
        f"the pack {pack.name!r} also needs {names}", hint=f"get {sources}" if sources else "add it to the command"
    )


def _wrong_hash_error(candidate: CandidateFile, file: PackFile, pack: Pack) -> PackError:
    return PackError(
        f"{candidate.path} is not the {file.name} of the pack {pack.name!r}: its SHA-256 is {candidate.sha256}, "
        f"not {file.sha256}",
        hint="download it again, or get another version",
    )


def _possible_names(file: PackFile) -> set[str]:
    """Return the names the file may have: in the pack, in its zip, and in its URL."""
    return {
        file.name,
        PurePosixPath(file.member or file.name).name,
        PurePosixPath(urlsplit(file.url or "").path).name or file.name,
    }


def _list_pack_files(pack: Pack) -> str:
    return f"its files: {', '.join(file.name for file in pack.files if not file.embedded)}"


def _onnx_members(path: Path) -> list[str | None]:
    with open_zip(path, "a model", _DOWNLOAD_HINT) as opened:
        members: list[str | None] = [
            info.filename
            for info in opened.infolist()
            if info.filename.endswith(".onnx") and info.file_size <= _MAX_FILE_SIZE
        ]
    if not members:
        if path.suffix.lower() != ".zip" and (error := other_format_error(ZIP_SIGNATURE, path)):
            raise error
        raise PackError(f"{path} is a zip without an ONNX file", hint="models must be converted to ONNX first")
    return members[:_MAX_MEMBERS]


def _hash_candidate(path: Path, member: str | None) -> CandidateFile:
    digest, size = hashlib.sha256(), 0
    try:
        with _open_candidate(path, member) as stream:
            while block := stream.read(BLOCK_SIZE):
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
    """Return the installed files of a pack, except those of the embedded packs, by name."""
    return {
        file.name: _hash_candidate(pack.path(file.name), None)
        for file in pack.files
        if not file.embedded and pack.path(file.name).is_file()
    }
