"""Read `.npz` files that may be damaged or hostile."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_SIZE = 1_000_000_000  # bytes of the arrays: a million embeddings of dimension 250


def read_npz(file: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return those of the named arrays that the file has. Raises OSError, ValueError if it is damaged.

    Arrays of Python objects, which could run code, are errors.
    """
    with file.open("rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
                found = {name: members[name] for name in names if name in members}
                if sum(member.file_size for member in found.values()) > _MAX_SIZE:  # zipfile reads no more than this
                    raise ValueError(f"its arrays are larger than {_MAX_SIZE:,} bytes")
                return {name: _read_array(archive, member) for name, member in found.items()}
        except OSError as error:
            if error.errno is None:  # bz2's error for damaged data
                raise ValueError(str(error)) from error
            raise
        except Exception as error:  # zipfile, its codecs and numpy, which parses a head as Python, raise many types
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        return array
