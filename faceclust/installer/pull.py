"""Download a pack's files from their URLs or a mirror. Each file is verified before it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from faceclust.errors import PackError, UsageError
from faceclust.installer.archives import unpack_member
from faceclust.installer.download import RemoteFile, RetryPolicy, download
from faceclust.installer.partial_file import PartialFile
from faceclust.installer.staging import lock_pack, translate_write_errors
from faceclust.packs.pack import Archive, Pack, PackFile
from faceclust.packs.urls import MIRROR_HINT, check_mirror, mirror_urls
from faceclust.packs.verify import check_files, install_hint, sha256_of
from faceclust.progress import Progress, SilentProgress

#: Bytes to leave free on the disk.
_RESERVED_BYTES = 10_000_000
#: Downloads of a file whose resumed parts do not fit together.
_MAX_RESTARTS = 3


def files_to_pull(pack: Pack) -> list[PackFile]:
    """Return the files that are missing or damaged. Raises PackError if the pack cannot be pulled."""
    if pack.embedded:
        return []
    if not pack.is_pullable:
        has_hashes = all(file.sha256 for file in pack.own_files)
        reason = "its manifest has no URLs" if has_hashes else "no official hashes of its files are published"
        raise PackError(f"the pack {pack.name!r} cannot be pulled: {reason}", hint=install_hint(pack))
    return [check.file for check in check_files(pack) if check.state != "ok" and not check.file.embedded]


def size_to_pull(pack: Pack, files: list[PackFile]) -> int:
    """Return the bytes still to download for these files, counting whole archives."""
    sources = _archives_of(pack, files) | {file.name: file for file in files if file.member is None}
    return sum(max(0, (source.size or 0) - PartialFile(pack.folder / name).size) for name, source in sources.items())


def pull_pack(
    pack: Pack, *, mirror: str | None = None, progress: Progress | None = None, retry_policy: RetryPolicy | None = None
) -> list[Path]:
    """Download the missing files of a pack; return their paths. `mirror` is the URL of a folder with
    the files, or of one of them (see `urls.mirror_urls`).

    If interrupted, each file is either missing or complete and verified, and the next call resumes
    partial downloads. Raises PackError if a download fails, UsageError if the mirror is invalid.
    """
    progress, retry_policy = progress or SilentProgress(), retry_policy or RetryPolicy()
    mirror = check_mirror(mirror) if mirror else None
    files_to_pull(pack)  # fail before creating a folder
    with lock_pack(pack.name):
        files = files_to_pull(pack)
        remotes = _plan_downloads(pack, files, mirror)
        with translate_write_errors(pack.folder):
            pack.folder.mkdir(exist_ok=True)
            _require_free_space(pack, files)
            for remote in remotes:
                part = PartialFile(pack.folder / remote.name)
                _download_verified(remote, part, progress, retry_policy)
                members = [file for file in files if file.member and _archive_name(pack, file) == remote.name]
                for file in members:
                    progress.start(f"unpacking {file.name}", None)
                    unpack_member(part.path, file, PartialFile(pack.folder / file.name))
                    progress.finish()
                part.remove() if members else part.finish()
    return [pack.path(file.name) for file in files]


def _plan_downloads(pack: Pack, files: list[PackFile], mirror: str | None) -> list[RemoteFile]:
    """Return the files and archives to download, with their URLs."""
    sources: dict[str, Archive | PackFile] = {**_archives_of(pack, files)}
    sources |= {file.name: file for file in files if file.member is None}
    remotes, mirrored = [], False
    for name, source in sources.items():
        assert source.sha256 and source.size and source.url  # the pack is pullable
        from_mirror = mirror_urls(mirror, pack.name, name) if mirror else None
        mirrored = mirrored or from_mirror is not None
        remotes.append(RemoteFile(name, source.sha256, source.size, from_mirror or (source.url,)))
    if mirror and remotes and not mirrored:
        raise UsageError(
            f"the mirror is not the URL of any of: {', '.join(sources)}", hint="or name the folder with the files"
        )
    return remotes


def _archives_of(pack: Pack, files: list[PackFile]) -> dict[str, Archive]:
    """Return the archives that contain these files, by name."""
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
            f"{needed:,} bytes are needed, but only {free:,} are free on the disk of {pack.folder}",
            hint="free some space, then repeat the command",
        )


def _download_verified(remote: RemoteFile, part: PartialFile, progress: Progress, retry_policy: RetryPolicy) -> None:
    """Download a file into `part` and check its SHA-256. Resumed downloads with another hash start
    again from the beginning; others are removed with a PackError."""
    for _ in range(_MAX_RESTARTS):
        in_one_piece = download(remote, part, progress, retry_policy)
        if sha256_of(part.path) == remote.sha256:
            return
        part.remove()
        if in_one_piece:
            break
        progress.note(f"the parts of {remote.name} do not fit together; downloading it from the beginning")
    raise PackError(f"the download of {remote.name} was removed: its SHA-256 is not {remote.sha256}", hint=MIRROR_HINT)
