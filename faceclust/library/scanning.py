"""Find the faces on the photos of a library and keep them in its caches."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.photo_addresses import find_photo
from faceclust.engines.dask.address import DaskOptions, as_dask_options, require_dask
from faceclust.errors import CacheError, UsageError
from faceclust.files.bundled import default_pack
from faceclust.files.names import PRECISIONS
from faceclust.files.program_folders import is_skipped
from faceclust.files.safe_paths import is_absolute_posix
from faceclust.library.drawn_faces import drawn_faces_in_effect
from faceclust.library.forgetting import filter_forgotten_faces
from faceclust.library.naming import record_relocated_faces
from faceclust.packs.verify import require_files
from faceclust.progress import ShouldStop
from faceclust.scan.unchanged import all_starts, scan_if_unchanged
from faceclust.store.find_library import relative_folder, remember_library
from faceclust.store.settings import (
    include_folders,
    included_folders,
    pack_in_use,
    set_pack,
    set_precision,
    set_videos,
)
from faceclust.types.arguments import as_list, require_number

if TYPE_CHECKING:
    from faceclust.scan.examine import ScanSettings
    from faceclust.scan.examine_pool import ExaminePhotos
    from faceclust.scan.result import ScanResult


def scan(
    library: Catalogue,
    folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    *,
    workers: int | None = None,
    device: str = "auto",
    min_face: int | None = None,
    precision: str | None = None,
    include: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    videos: bool | None = None,
    again: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    dask: DaskOptions | str | None = None,
    should_stop: ShouldStop = lambda: False,
) -> ScanResult:
    """Find the faces on new and changed photos; drop photos that are gone from the caches.

    `folders`: parts of the library to scan; default all of it, with the additional roots that are here. Photos on a
    disk that is away stay known (`away` of the result). `workers`: number of processes, default one per core; 0
    scans in this process. `device`: what the models run on, one of `packs.session.DEVICES`. `min_face`: width of the
    smallest face to find, in pixels of the photo; default the pack's own for the photo's size. Photos scanned with a
    larger `min_face` are scanned again. `precision`: number format of the embeddings, one of `files.names.PRECISIONS`.
    The library remembers it, and existing embeddings are converted. `include`: folders to scan although another program
    keeps copies of photos there; the library remembers them. `videos`: look at videos, too, or at none; the library
    remembers it. Without videos, their faces leave the caches. `again`: only look again, harder, at these photos, which
    are scanned already, and add the faces that the scan missed; `faces` of the result is their number. `dask`: examine
    the photos on this cluster, given by options or an address, instead of in processes of this machine; the models then
    run on cpu unless `device` says otherwise. Once `should_stop()` is true, the photos in progress are finished and
    saved.

    Raises UsageError for a folder outside the library, a folder of another program that is not included,
    and an invalid width or precision; LibraryBusyError if another process scans or clusters the library;
    PackError if the models or the device are missing; FaceclustError if the cluster cannot be used. A cluster
    examines photos of the own root alone: additional roots are left out with a note, or refused with UsageError if they
    are named.
    """
    cluster = as_dask_options(dask)
    folders = as_list(folders)
    photos = [os.fspath(photo) for photo in as_list(again)]
    if photos and (folders or precision or as_list(include) or videos is not None):
        raise UsageError("looking again at photos changes nothing else", hint="leave out folders and other options")
    library.home.reload_roots()
    starts = [relative_folder(library.roots, folder) for folder in folders] or all_starts(library.home)
    for name, number in (("workers", workers), ("min_face", min_face)):
        if number is not None:
            require_number(name, number)
    if precision not in (None, *PRECISIONS):
        raise UsageError(f"unknown precision {precision!r}", hint=f"choose one of {', '.join(PRECISIONS)}")
    included = [relative_folder(library.roots, folder) for folder in as_list(include)]
    _require_scannable(library, starts, included)
    left_out = None
    if cluster and not (photos or folders):
        starts, left_out = _keep_own_root(library, starts)
    elif cluster and folders:
        _require_own_root(library, starts)
    if photos:
        return _look_again(library, photos, workers, device, min_face, cluster, should_stop)
    if min_face is None and precision is None and videos is None and not included:
        unchanged = scan_if_unchanged(library.home, folders, library.pack_name)
        if unchanged is not None:
            return unchanged
    from faceclust.scan.run import scan_folders

    settings, examine = _prepare(library, device, min_face, workers, cluster)
    with library.home.skip_unreadable_folders():
        with library.home.lock("scanning") as lock, filter_forgotten_faces(library) as forgotten:
            if precision:  # saved first, so that the scan after an interrupted one goes on with it
                set_precision(precision, library.home)
            if included:
                include_folders(included, library.home)
            if videos is not None:
                set_videos(library.home, are_scanned=videos)
            former = _keep_former_pack(library)
            result = scan_folders(
                library.home,
                settings,
                library.cache_info,
                starts,
                examine,
                library.progress,
                lambda: should_stop() or lock.lost,
                forgotten,
                drawn_faces_in_effect(library),
            )
            for note in filter(None, (former, left_out)):
                library.progress.note(note)
                result.notes.append(note)
            library.home.record_scan()
        remember_library(library.root)
        library.invalidate()
        record_relocated_faces(library)
    return result


def _look_again(
    library: Catalogue,
    typed: Iterable[str],
    workers: int | None,
    device: str,
    min_face: int | None,
    cluster: DaskOptions | None,
    should_stop: ShouldStop,
) -> ScanResult:
    """Look again at photos, and at their copies. Raises UsageError for an unknown photo, or one that is away."""
    from faceclust.scan.look_again import look_again

    named = [find_photo(library.roots, library.photos, photo) for photo in typed]
    content_of = {photo: library.photos[photo].photo_hash for photo in named}
    contents = set(content_of.values())
    photos = [photo for photo, info in library.photos.items() if info.photo_hash in contents and library.is_here(photo)]
    here = {library.photos[photo].photo_hash for photo in photos}
    if away := next((photo for photo, content in content_of.items() if content not in here), None):
        raise UsageError(f"{away} is on a disk that is away", hint="connect the disk, then try again")
    if cluster:
        _require_own_root(library, photos)
    _, examine = _prepare(library, device, min_face, min(_worker_count(workers), len(photos)), cluster)
    before = _faces_on(library, contents)
    with library.home.lock("scanning") as lock, filter_forgotten_faces(library) as forgotten:
        result = look_again(
            library.home,
            library.cache_info,
            photos,
            examine,
            library.progress,
            lambda: should_stop() or lock.lost,
            forgotten,
        )
        library.home.record_scan()
    library.invalidate()
    result.faces = len(_faces_on(library, contents) - before)  # without those behind a box drawn by hand
    return result


def _keep_own_root(library: Catalogue, starts: list[str]) -> tuple[list[str], str | None]:
    """Return the folders to scan on a cluster, and a note about the additional roots that are left out."""
    left_out = [start for start in starts if is_absolute_posix(start)]
    if not left_out:
        return starts, None
    paths = " ".join(map(shlex.quote, left_out))
    note = f"{paths} left out: a Dask cluster scans {library.root} only; next, without --dask: faceclust scan {paths}"
    return [start for start in starts if not is_absolute_posix(start)], note


def _require_own_root(library: Catalogue, paths: Iterable[str]) -> None:
    """Raise UsageError if photos or folders to scan on a cluster are on additional roots, which its workers may not
    have."""
    found = next(filter(is_absolute_posix, paths), None)
    if found is not None:
        raise UsageError(
            f"a Dask cluster scans {library.root} only, not {found}",
            hint="to scan that folder, type the command without --dask",
        )


def _prepare(
    library: Catalogue, device: str, min_face: int | None, workers: int | None, cluster: DaskOptions | None
) -> tuple[ScanSettings, ExaminePhotos]:
    """Check what a scan needs. Return its settings, and what examines photos: processes here, or a cluster."""
    from faceclust.packs.session import choose_device  # loads the model runtime
    from faceclust.scan.examine import ScanSettings

    require_files(library.pack)
    if cluster is None:
        from faceclust.scan.examine_pool import examine_photos

        settings = ScanSettings(library.pack, choose_device(device), min_face)
        return settings, partial(examine_photos, library.root, settings, _worker_count(workers))
    require_dask()
    from faceclust.engines.dask.security import require_safe_address  # loads Dask
    from faceclust.engines.dask.start import examine_with_dask

    require_safe_address(cluster)
    settings = ScanSettings(library.pack, "cpu" if device == "auto" else device, min_face)
    return settings, partial(examine_with_dask, cluster, library.progress.note, library.root, settings)


def _faces_on(library: Catalogue, contents: Iterable[str]) -> set[str]:
    return {face.face_id for content in contents for face in library.faces_on.get(content, ())}


def _worker_count(workers: int | None) -> int:
    return os.cpu_count() or 1 if workers is None else workers


def _require_scannable(library: Catalogue, starts: Iterable[str], included: Iterable[str]) -> None:
    """Raise UsageError for folders to scan that scans skip, and for folders to include that they do not skip."""
    root, roots = library.root, library.roots
    known = [*included_folders(root), *included]
    for folder in starts:
        if is_skipped(roots, folder, known):
            path = root / folder
            raise UsageError(
                f"{path} is skipped, because another program keeps copies of photos there",
                hint=f"to scan it all the same, now and later: faceclust scan --include {shlex.quote(str(path))}",
            )
    for folder in included:
        if not is_skipped(roots, folder, ()):
            raise UsageError(
                f"{root / folder} is not a folder of another program", hint="without --include, scans do not skip it"
            )


def _keep_former_pack(library: Catalogue) -> str | None:
    """Record the pack of a library that was scanned with the default of earlier versions.

    From then on it is the library's own choice. Return a note that says how to change it, None for
    other libraries.
    """
    in_use = pack_in_use(library.root)
    if in_use.file or in_use.value == default_pack() or library.pack_name != in_use.value:
        return None
    with contextlib.suppress(CacheError, UsageError):  # a read-only home: noted again by the next scan
        set_pack(in_use.value, library.home)
    return (
        f"this library stays with the models it was scanned with, {in_use.value}; {default_pack()}, the default "
        f"now, tells people apart better: faceclust models use {default_pack()} (names and groups stay)"
    )
