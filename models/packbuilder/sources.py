"""The weight files inside the build requirements, found without importing them.

`face_recognition_models` imports `pkg_resources` and `mtcnn` imports TensorFlow,
so the packages' file lists are read instead.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path


class PackBuildError(Exception):
    """The embedded pack cannot be built; the message says why and what to do."""


def read_source(distribution: str, name: str, sha256: str) -> bytes:
    """The bytes of file `name` of an installed distribution, once its SHA-256 agrees."""
    path = _locate(distribution, name)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise PackBuildError(
            f"{path} has SHA-256 {found}, expected {sha256}: it is not the file this version "
            f"of faceclust was made with; reinstall {distribution} from a trusted index"
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
    raise PackBuildError(f"{distribution} holds no file {name}; is its version the pinned one?")
