"""Report the state of a library, and of the installation for bug reports."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.errors import FaceclustError, NothingScannedError, PackError
from faceclust.files.library_roots import AdditionalRoot
from faceclust.files.safe_paths import is_at_or_below
from faceclust.library.birth_dates import describe_contradiction, find_contradictions
from faceclust.packs.verify import check_files
from faceclust.scan.away import is_another_disk
from faceclust.store.find_library import find_library
from faceclust.store.home import LibraryHome
from faceclust.store.settings import pack_in_use, precision_in_use
from faceclust.version import __version__

_REPORTED_PACKAGES = (
    "click numpy onnxruntime scikit-learn scipy hdbscan pillow pi-heif simplejpeg exifread pyarrow rich textual-image"
).split()
#: For `--dask`, and for `faceclust train`.
_OPTIONAL_PACKAGES = ("distributed", "torch")


def library_status(library: Catalogue) -> dict[str, Any]:
    """Return the counts and settings of a library, as `faceclust status --json` prints them."""
    clustering, faces = library.clustering, library.occurrences_of.keys()
    grouped = set(clustering.face_ids.tolist()) & faces if clustering else set()
    return {
        "library": str(library.root),
        "roots": _list_roots(library),
        "photos": library.table.photo_count,
        "copies": library.table.duplicate_count,
        "faces": len(faces),
        "forgotten_faces": len({place.face_id for place in library.table.forgotten_occurrences()}),
        "skipped": library.table.skipped_photos(),
        "last_scanned": library.home.last_scan_time(),
        "pack": library.pack_name,
        "precision": precision_in_use(library.root).value,
        "groups": len(library.group_members) if clustering else None,
        "alone": len(grouped) - len(library.group_of),
        "not_grouped": len(faces - grouped),
        "threshold": clustering.params.threshold if clustering else None,
        "algorithm": clustering.params.algorithm if clustering else None,
        "grouped_by": library.clustering_pack,
        "people": len(library.people()),
        "unnamed_groups": len(library.unnamed_groups()),
        "waiting": library.answers.missing_count,
    }


def _list_roots(library: Catalogue) -> list[dict[str, Any]]:
    """Return the folders with the library's photos, its own root first: the number of photos, and "here", "away",
    "not added" on this machine, or "another disk" if none of the known photos is at its place."""
    rows = library.table.rows.select(["folder", "photo"]).group_by(["folder", "photo"]).aggregate([])
    counts = Counter(rows["folder"].to_pylist())
    places = [(str(library.root), ".", "here")]
    places += [(root.path, root.path, _state_of(library, root)) for root in library.roots.additional]
    return [
        {
            "path": path,
            "photos": sum(count for one, count in counts.items() if is_at_or_below(one, folder)),
            "state": state,
        }
        for path, folder, state in places
    ]


def _state_of(library: Catalogue, root: AdditionalRoot) -> str:
    is_another = root.is_here and is_another_disk(library.home, library.cache_info, root, ())
    return "another disk" if is_another else root.state


def check_installation(library: Path | None = None) -> dict[str, Any]:
    """Check the installation. `problems` lists the problems found; none of them raises an error.

    `contradictions` lists the people with confirmed faces from before their birth.
    `library`: the folder of the library to check as well; default the one in use.
    """
    from faceclust.packs.session import available_providers  # loads the model runtime

    problems: list[str] = []
    return {
        "faceclust": __version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "providers": available_providers(),
        "packages": {name: _installed_version(name, problems) for name in _REPORTED_PACKAGES}
        | _find_optional_packages(),
        "pack": _check_pack(library, problems),
        "library": _check_library(library, problems),
        "contradictions": _check_birth_dates(library, problems),
        "problems": problems,
    }


def _installed_version(package: str, problems: list[str]) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        problems.append(f"the package {package} is not installed")
        return "missing"


def _find_optional_packages() -> dict[str, str]:
    versions = dict.fromkeys(_OPTIONAL_PACKAGES, "not installed")
    for package in versions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _check_pack(folder: Path | None, problems: list[str]) -> dict[str, Any]:
    name = "unknown"
    try:
        try:
            root: Path | None = find_library(folder)
        except FaceclustError:  # `_check_library` reports it
            root = None
        name = pack_in_use(root).value
        pack = load_pack_in_use(root)
    except FaceclustError as error:
        problems.append(str(error))
        return {"name": name, "title": "missing", "files": []}
    checks = check_files(pack)
    problems += [f"{check.path} is {check.state}" for check in checks if check.state != "ok"]
    files = [{"path": check.path, "state": check.state, "sha256": check.file.sha256} for check in checks]
    return {"name": pack.name, "title": pack.title, "licence": pack.licence, "files": files}


def _check_library(folder: Path | None, problems: list[str]) -> dict[str, Any]:
    try:
        home = LibraryHome(find_library(folder))
    except FaceclustError as error:
        if folder is not None:
            problems.append(str(error))
        return {"root": None, "home": None, "roots": [], "free_gb": None}
    free = shutil.disk_usage(home.home).free / 1e9
    if free < 0.1:
        problems.append(f"the disk of {home.home} is full")
    roots: list[dict[str, str]] = []
    try:
        roots = [{"path": root.path, "state": root.state} for root in home.roots.additional]
    except FaceclustError as error:
        problems.append(str(error))
    return {"root": str(home.root), "home": str(home.home), "roots": roots, "free_gb": free}


def _check_birth_dates(folder: Path | None, problems: list[str]) -> list[dict[str, Any]]:
    try:
        root = find_library(folder)
    except FaceclustError:  # `_check_library` reports it
        return []
    try:
        library = Catalogue(root)
        return [
            {"name": name, "faces": early, "description": describe_contradiction(library, name, early)}
            for name, early in find_contradictions(library).items()
        ]
    except (NothingScannedError, PackError):  # `_check_pack` reports the latter
        return []
    except FaceclustError as error:
        problems.append(str(error))
        return []
