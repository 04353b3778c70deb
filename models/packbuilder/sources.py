"""Read the weight files inside the build requirements without importing those packages.

`face_recognition_models` would import `pkg_resources`, and `mtcnn` TensorFlow. Their lists of
installed files are used instead.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path


class PackBuildError(Exception):
    """The embedded pack cannot be built; the message gives the reason and a remedy."""


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
