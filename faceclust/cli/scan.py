"""`faceclust scan`."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import faceclust
from faceclust.cli.common import (
    command_for,
    dask_options,
    device_option,
    format_dask_options,
    json_option,
    library_option,
    print_json,
    read_dask_options,
)
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.terminal.interrupt import stop_on_interrupt
from faceclust.cli.terminal.printing import can_ask, confirm, print_failure, print_line
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.errors import FaceclustError, UsageError
from faceclust.scan.unchanged import scan_if_unchanged
from faceclust.store.find_library import default_library, find_library_for_scan
from faceclust.store.home import LibraryHome
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.scan.result import ScanResult

_MAX_NESTED = 5  # libraries in a folder that a message lists


@click.command("scan")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]...")
@library_option
@click.option("--workers", "-j", type=click.IntRange(1, 256), help="Number of processes. Default: one for each core.")
@click.option(
    "--min-face",
    type=click.IntRange(10, 30_000),
    metavar="PIXELS",
    help="Width of the smallest face to find. Default: 1/50 of the photo's longer side, 80 for 4,000 pixels; "
    "less in panoramas.",
)
@device_option("Hardware that runs the models; all but cpu need their own onnxruntime package.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8"]),
    help="Number format of stored embeddings, from now on: 256, 128 or 64 bytes a face. Default: float16.",
)
@click.option(
    "--include",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    multiple=True,
    help="Scan FOLDER, from now on, although another program keeps copies of photos there (repeatable).",
)
@click.option(
    "--add-root",
    type=click.Path(path_type=Path),
    metavar="PATH",
    multiple=True,
    help="Make PATH, such as a folder on another disk, a part of the library, and scan it (repeatable).",
)
@click.option(
    "--remove-root",
    type=click.Path(path_type=Path),
    metavar="PATH",
    multiple=True,
    help="Remove PATH from the library; nothing in it changes, and names stay (repeatable).",
)
@click.option(
    "--move-root",
    type=click.Path(path_type=Path),
    nargs=2,
    metavar="OLD NEW",
    multiple=True,
    help="The disk that was found at OLD is now found at NEW (repeatable).",
)
@click.option(
    "--videos/--no-videos",
    default=None,
    help="Look at videos, too, from now on, or at none. Needs faceclust[video].",
)
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="PHOTO",
    multiple=True,
    help="Only look again, harder, at PHOTO, and add the faces that the scan missed (repeatable).",
)
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path),
    envvar="FACECLUST_CACHE_DIR",
    metavar="FOLDER",
    help="Keep all files in FOLDER, from now on, and write nothing into the library.",
)
@dask_options
@click.option(
    "--yes",
    "-y",
    is_flag=True,
    help="Make one library of a folder that contains libraries; add a folder that is a copy of one that is away.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    folders: tuple[Path, ...],
    library: Path | None,
    workers: int | None,
    min_face: int | None,
    device: str,
    add_root: tuple[Path, ...],
    remove_root: tuple[Path, ...],
    move_root: tuple[tuple[Path, Path], ...],
    again: tuple[Path, ...],
    cache_dir: Path | None,
    dask: str | None,
    dask_root: str | None,
    dask_insecure: bool,
    yes: bool,
    as_json: bool,
    **_: Any,
) -> None:
    """Find the faces in the photos of FOLDER and its subfolders.

    Photos are only read. The results are cached in a small file beside them, so that the next
    scan reads only new and changed photos. Press Ctrl-C to stop; the next scan continues.

    \b
    Examples:
      faceclust scan ~/Pictures
      faceclust scan                     the same library again
      faceclust scan ~/Pictures/2024     only this part of it
      faceclust scan --include ~/Pictures/immich/thumbs
      faceclust scan --min-face 30       find smaller faces too; takes longer
      faceclust scan --videos            look at videos as well, from now on
      faceclust scan --again party.jpg   look again, harder, at this photo
      faceclust scan --add-root /media/disk/Photos   photos on another disk, too
      faceclust scan --dask tls://hub:8786   on all machines of a Dask cluster
    """
    # Configured values are the library's own.
    remembered = ("precision", "include", "videos")
    typed = {name: ctx.params[name] if is_on_command_line(name) else None for name in remembered}
    changes_remembered = any(value not in (None, ()) for value in typed.values())
    if again and (folders or changes_remembered or add_root or remove_root or move_root):
        raise UsageError("--again looks at these photos only", hint="leave out folders and other options")
    cluster = read_dask_options(dask, dask_root, dask_insecure)
    if cluster and is_on_command_line("workers"):
        raise UsageError("--workers counts processes of this machine", hint="leave it out with --dask, or try local:N")
    root = _find_root(folders, library, typed["include"], again)
    print_line(f"library: {root}", err=True)
    is_new = not LibraryHome(root, cache_dir=cache_dir).exists()
    nested = _confirm_nesting(root, may_ask=not as_json, yes=yes) if is_new else []
    default_before = _find_default()
    changes = []
    if add_root or remove_root or move_root:
        changes = _change_roots(root, cache_dir, add_root, remove_root, move_root, is_copy=yes)
        if not (add_root or move_root or folders):
            if as_json:
                print_json({"library": str(root), "roots": changes})
            return
        folders += (*add_root, *(new for _, new in move_root)) if folders else ()
    changes_settings = cache_dir or min_face or again or changes_remembered
    result = None if changes_settings else scan_if_unchanged(LibraryHome(root), folders)
    if result is None:
        options = {"workers": workers, "min_face": min_face, "device": device, "again": again or None, "dask": cluster}
        result = _run_scan(root, cache_dir, folders, **options, **typed)
    _print_changes_of_libraries(root, nested, default_before)
    if as_json:
        print_json(_scan_result_record(root, result) | ({"roots": changes} if changes else {}))
    else:
        _print_added_faces(root, result) if again else _print_scan_result(root, result, min_face)
    _print_away(result)
    if result.unsaved:
        raise FaceclustError(
            f"the results for {format_count(result.unsaved, 'photo')} could not be saved",
            hint="once the cause is fixed, faceclust scan repeats these photos",
        )
    if result.unwritten:  # rows of deleted photos, or embeddings in another precision
        raise FaceclustError(
            f"the caches of {format_count(result.unwritten, 'folder')} could not be written",
            hint="once the cause is fixed, faceclust scan writes them",
        )
    if result.interrupted:
        what = "".join(f" --again {shlex.quote(str(photo))}" for photo in again) or f" {shlex.quote(str(root))}"
        command_line = f"faceclust scan{what}" + (f" --min-face {min_face}" if min_face else "")
        command_line += format_dask_options()
        print_failure(f"stopped; all finished photos are saved. To continue: {command_line}")
        ctx.exit(130)
    if result.unreadable:
        raise FaceclustError(
            f"{format_count(result.unreadable, 'folder')} could not be read; everything else is scanned",
            hint="once the cause is fixed, faceclust scan adds what is in them",
        )


def _find_root(
    folders: tuple[Path, ...], library: Path | None, include: tuple[Path, ...] | None, again: tuple[Path, ...]
) -> Path:
    inside = [*(include or ()), *(parent for photo in again if (parent := photo.absolute().parent).is_dir())]
    if inside and not folders and not library:
        root = find_library_for_scan(inside[:1], None)
        if LibraryHome(root).exists():
            return root
    return find_library_for_scan(folders, library)


def _change_roots(
    root: Path,
    cache_dir: Path | None,
    add_root: tuple[Path, ...],
    remove_root: tuple[Path, ...],
    move_root: tuple[tuple[Path, Path], ...],
    *,
    is_copy: bool,
) -> list[dict[str, Any]]:
    """Change the additional folders of a library; return a record of each change."""
    library, changes = faceclust.Library(root, cache_dir=cache_dir, progress=TerminalProgress()), []
    for folder in remove_root:
        photos = library.remove_root(folder)
        names = "; names stay in the journal, and nothing on that disk has changed"
        print_line(f"{folder} is no longer a part of the library: {format_count(photos, 'photo')}{names}", err=True)
        changes.append({"change": "removed", "path": str(folder), "photos": photos})
    for old, new in move_root:
        moved = library.move_root(old, new)
        print_line(f"the photos of {old} are now found in {moved.path}", err=True)
        changes.append({"change": "moved", "path": moved.path, "from": str(old)})
    for folder in add_root:
        added = library.add_root(folder, is_copy=is_copy)
        answers = f", with {format_count(added.answers, 'answer')} of libraries there" if added.answers else ""
        known = "is now" if added.is_new else "is already"
        print_line(f"{added.root.path} {known} a part of the library{answers}", err=True)
        changes.append({"change": "added", "path": added.root.path, "answers": added.answers})
    return changes


def _print_away(result: ScanResult) -> None:
    for path, photos in result.away.items():
        print_line(f"{path} is away: {format_count(photos, 'photo')} stay known", err=True)


def _confirm_nesting(root: Path, *, may_ask: bool, yes: bool) -> list[str]:
    """Return the libraries (POSIX paths) in a folder that is to be one; ask first whether that is meant.

    Raises UsageError if nobody can be asked.
    """
    home = LibraryHome(root)
    with home.skip_unreadable_folders():
        nested = home.nested_libraries()
    if not nested or yes:
        return nested
    some = ", ".join(nested[:_MAX_NESTED]) + (", …" if len(nested) > _MAX_NESTED else "")
    count = format_count(len(nested), "library", "libraries")
    one = f"faceclust scan {shlex.quote(str(root / nested[0]))}"
    if not (may_ask and can_ask()):
        raise UsageError(
            f"{root} is no library yet, but contains {count}: {some}",
            hint=f"to scan the one: {one}; to make one library of the whole, which keeps all names: add --yes",
        )
    print_failure(f"This folder is no library yet, but contains {count}: {some}.")
    print_failure(f"One library of the whole would keep all names. To scan the one instead: {one}")
    if not confirm("Make one library of the whole?", err=True):
        raise click.Abort
    return nested


def _find_default() -> Path | None:
    """The default library; None also if it cannot be found out, which is no reason to stop a scan."""
    with contextlib.suppress(FaceclustError, OSError):
        return default_library()
    return None


def _print_changes_of_libraries(root: Path, nested: list[str], default_before: Path | None) -> None:
    """Say that commands typed elsewhere now work on another library, or on which one in a nested library."""
    if default_before not in (None, root) and _find_default() == root:
        print_line(f"{root} is now the default library, in place of {default_before}", err=True)
    for folder in nested[:_MAX_NESTED]:
        move = f"faceclust library move {shlex.quote(str(root / folder))} {shlex.quote(str(root))}"
        print_line(f"{folder} is still a library for commands typed in it; to end that: {move}", err=True)


def _run_scan(root: Path, cache_dir: Path | None, folders: tuple[Path, ...], **options: Any) -> ScanResult:
    library = faceclust.Library(root, cache_dir=cache_dir, progress=TerminalProgress())
    with stop_on_interrupt("finishing the photos already started …") as should_stop:
        given = {name: value for name, value in options.items() if value is not None}
        return library.scan(folders, should_stop=should_stop, **given)


def _print_scan_result(root: Path, result: ScanResult, min_face: int | None) -> None:
    summary = f"{format_count(result.photos, 'photo')}: {result.scanned:,} scanned, {result.unchanged:,} unchanged"
    for number, what in (
        (result.copied, "moved or copied (same content)"),
        (result.removed, "deleted"),
        (result.remaining, "remaining"),
    ):
        summary += f", {number:,} {what}" if number else ""
    print_line(summary if result.photos or result.removed else "no photos found")
    if result.videos or result.movies_of_photos:
        print_line(_describe_videos(result))
    if result.scanned:
        rate = (result.scanned + len(result.skipped)) / max(result.elapsed_seconds, 1e-9)
        print_line(
            f"{format_count(result.faces, 'face')} found in {result.elapsed_seconds:.0f} s ({rate:.1f} photos/s)"
        )
        smallest = f"{min_face} pixels" if min_face else "1/50 of the photo's longer side"
        print_line(f"faces narrower than {smallest} are not searched for (change it with --min-face)")
    if result.converted:
        print_line(f"embeddings converted to the new precision in {format_count(result.converted, 'folder')}")
    if result.forgotten:
        print_line(f"{format_count(result.forgotten, 'forgotten face')} left out")
    _print_skipped(result)
    if result.scanned and not result.interrupted:
        print_line(f"next: {command_for(root, 'faceclust cluster')}")


def _describe_videos(result: ScanResult) -> str:
    """Say how many of the photos are videos; after a scan without changes, nobody counts them."""
    text = f"{format_count(result.videos, 'video')} among them"
    if result.frames:
        text += f", {format_count(result.frames, 'frame')} looked at"
    if result.movies_of_photos:
        movies = format_count(result.movies_of_photos, "movie")
        verb = "counts" if result.movies_of_photos == 1 else "count"
        text += f"; {movies} of Live Photos and motion photos {verb} as the photo"
    return text


def _print_added_faces(root: Path, result: ScanResult) -> None:
    print_line(f"looked again at {format_count(result.scanned, 'photo')}: {format_count(result.faces, 'face')} added")
    _print_skipped(result)
    if result.faces:
        print_line(f"next: {command_for(root, 'faceclust cluster')}")


def _print_skipped(result: ScanResult) -> None:
    if not result.skipped:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in result.skip_counts.items())
    print_line(f"{format_count(len(result.skipped), 'file')} skipped: {reasons} (faceclust status lists them)")
    for reason, number in result.skip_counts.items():
        if reason.startswith("needs "):
            print_line(
                f"to read {number:,} of them: pip install '{reason.removeprefix('needs ')}', then faceclust scan"
            )


def _scan_result_record(root: Path, result: ScanResult) -> dict[str, Any]:
    return {
        "library": str(root),
        "photos": result.photos,
        "videos": result.videos,
        "frames": result.frames,
        "movies_of_photos": result.movies_of_photos,
        "scanned": result.scanned,
        "unchanged": result.unchanged,
        "copied": result.copied,
        "removed": result.removed,
        "left": result.remaining,
        "unsaved": result.unsaved,
        "unreadable": result.unreadable,
        "unwritten": result.unwritten,
        "converted": result.converted,
        "faces": result.faces,
        "forgotten": result.forgotten,
        "interrupted": result.interrupted,
        "elapsed_s": round(result.elapsed_seconds, 3),
        "away": result.away,
        "cpu_s": {stage: round(seconds, 3) for stage, seconds in result.stage_seconds.items()},
        "skipped": [
            {"photo": skip.ref.rel_path, "reason": skip.reason.value, "detail": skip.detail} for skip in result.skipped
        ],
        "notes": result.notes,
    }
