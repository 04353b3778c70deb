"""Bringing a pack's files to this machine: from their addresses or a mirror, each checked before it
is where it is used from."""

from __future__ import annotations

import shutil
from pathlib import Path

from faceclust.errors import PackError, UsageError
from faceclust.installer.archives import unpack_member
from faceclust.installer.download import RemoteFile, RetryPolicy, download
from faceclust.installer.partial_file import PartialFile
from faceclust.installer.staging import lock_pack
from faceclust.packs.pack import Archive, Pack, PackFile
from faceclust.packs.urls import check_mirror, mirror_urls
from faceclust.packs.verify import check_files, install_hint, sha256_of
from faceclust.progress import Progress, SilentProgress

#: Bytes that are to stay free on the disk.
_RESERVED_BYTES = 10_000_000
#: Times that a file is begun again whose pieces do not go together.
_MAX_RESTARTS = 3


def files_to_pull(pack: Pack) -> list[PackFile]:
    """Those of its files that are not there as they should be. Raises PackError for a pack that
    cannot be pulled, and says what else can be done."""
    if pack.embedded:
        return []
    if not pack.is_pullable:
        known = all(file.sha256 for file in pack.own_files)
        why = "its manifest names no address" if known else "nobody has published which files are the right ones"
        raise PackError(f"the pack {pack.name!r} cannot be pulled: {why}", hint=install_hint(pack))
    return [check.file for check in check_files(pack) if check.state != "ok" and not check.file.embedded]


def size_to_pull(pack: Pack, files: list[PackFile]) -> int:
    """Bytes that are to come for these files, archives as a whole, without what has come already."""
    sources = _archives_of(pack, files) | {file.name: file for file in files if file.member is None}
    return sum(max(0, (source.size or 0) - PartialFile(pack.folder / name).size) for name, source in sources.items())


def pull_pack(
    pack: Pack, *, mirror: str | None = None, progress: Progress | None = None, retry_policy: RetryPolicy | None = None
) -> list[Path]:
    """Download what is not there yet of a pack's files; gives their paths. `mirror`: the address of
    a folder with the files in it, or of one of them (see `addresses.mirror_urls`).

    Stopped at any moment, it leaves each file either not there or whole and right, and beside it
    what the next call goes on from. Raises PackError where it cannot be done, UsageError for a
    mirror that is none.
    """
    progress, retry_policy = progress or SilentProgress(), retry_policy or RetryPolicy()
    mirror = check_mirror(mirror) if mirror else None
    files_to_pull(pack)  # what cannot be pulled is told before there is a folder for it
    with lock_pack(pack.name):
        files = files_to_pull(pack)
        wanted = _plan_downloads(pack, files, mirror)
        try:
            pack.folder.mkdir(exist_ok=True)
            _require_free_space(pack, files)
            for one in wanted:
                part = PartialFile(pack.folder / one.name)
                _download_verified(one, part, progress, retry_policy)
                members = [file for file in files if file.member and _archive_name(pack, file) == one.name]
                for file in members:
                    progress.start(f"unpacking {file.name}", None)
                    unpack_member(part.path, file, PartialFile(pack.folder / file.name))
                    progress.finish()
                part.remove() if members else part.finish()
        except OSError as error:
            raise PackError(
                f"{pack.folder} cannot be written: {error.strerror or error}", hint="may you write there?"
            ) from error
    return [pack.path(file.name) for file in files]


def _plan_downloads(pack: Pack, files: list[PackFile], mirror: str | None) -> list[RemoteFile]:
    """What is to be downloaded, and where from."""
    sources: dict[str, Archive | PackFile] = {**_archives_of(pack, files)}
    sources |= {file.name: file for file in files if file.member is None}
    wanted, mirrors = [], 0
    for name, source in sources.items():
        assert source.sha256 and source.size and source.url  # the pack is pullable
        there = mirror_urls(mirror, pack.name, name) if mirror else None
        mirrors += there is not None
        wanted.append(RemoteFile(name, source.sha256, source.size, there or (source.url,)))
    if mirror and wanted and not mirrors:
        raise UsageError(
            f"the mirror is the address of none of: {', '.join(sources)}", hint="or name the folder they are in"
        )
    return wanted


def _archives_of(pack: Pack, files: list[PackFile]) -> dict[str, Archive]:
    """The archives that these files are members of, by name."""
    urls = {file.url for file in files if file.member is not None}
    return {archive.name: archive for archive in pack.archives if archive.url in urls}


def _archive_name(pack: Pack, file: PackFile) -> str:
    return next(archive.name for archive in pack.archives if archive.url == file.url)


def _require_free_space(pack: Pack, files: list[PackFile]) -> None:
    unpacked = sum(file.size or 0 for file in files if file.member is not None)
    needed = size_to_pull(pack, files) + unpacked + _RESERVED_BYTES
    free = shutil.disk_usage(pack.folder).free
    if free < needed:
        raise PackError(
            f"{needed:,} bytes are needed, {free:,} are free on the disk of {pack.folder}",
            hint="make room, then type it again",
        )


def _download_verified(remote: RemoteFile, part: PartialFile, progress: Progress, retry_policy: RetryPolicy) -> None:
    """Download it into `part`, with the right SHA-256. Raises PackError for another, and removes it;
    one that came in pieces is begun again."""
    for _ in range(_MAX_RESTARTS):
        in_one_piece = download(remote, part, progress, retry_policy)
        if sha256_of(part.path) == remote.sha256:
            return
        part.remove()
        if in_one_piece:
            break
        progress.note(f"the pieces that came of {remote.name} do not go together: from the start, then")
    raise PackError(
        f"what came as {remote.name} is another file: its SHA-256 is not {remote.sha256}; it was removed",
        hint="another mirror: --url https://…",
    )
