"""Find the photos that the rows of a table name."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PureWindowsPath

from faceclust.importers.sidecar_owner import PhotoLookup
from faceclust.text.caseless import caseless_key

#: Longer paths, and paths with a longer part, in characters, are no photo's: comparing long runs of combining
#: characters takes quadratic time. Paths of more parts are not compared with those of another computer.
_MAX_PATH, _MAX_PART, _MAX_PARTS = 4096, 255, 50


class TablePhotos:
    """Finds a library's photos (POSIX paths below `root`) by the paths in tables."""

    def __init__(self, root: Path, photos: Collection[str], lookup: PhotoLookup) -> None:
        self._photos, self._lookup = photos, lookup
        self._roots = tuple(dict.fromkeys((root, Path(os.path.realpath(root)))))

    def find(self, name: str, beside: Path) -> Sequence[str]:
        """Find the photo of a row: below the root, else beside the table in the folder `beside`, or absolute.

        None is found, or one, or several if the name could mean any of them in another case or Unicode form.
        """
        if not _is_short(name):
            return ()
        below = (posixpath.normpath(name), posixpath.normpath(name.replace("\\", "/")))
        paths = list(dict.fromkeys((*below, *self._paths_below_root(name, beside))))
        exact = next((path for path in paths if path in self._photos), None)
        if exact is not None:
            return (exact,)
        return next((photos for path in paths if (photos := self._lookup.find_by_name(path))), ())

    def _paths_below_root(self, name: str, beside: Path) -> Iterator[str]:
        """Yield the name's paths below the root if it is relative to `beside`, or absolute."""
        for path in dict.fromkeys((name, name.replace("\\", "/"))):
            full = Path(os.path.normpath(beside / path))
            for root in self._roots:
                if (depth := len(root.parts)) < len(full.parts) and _keys(full)[:depth] == _keys(root):
                    yield posixpath.join(*full.parts[depth:])

    def find_other_root(self, names: Iterable[str], beside: Path) -> str | None:
        """Return the root of this library on the computer that a table with these absolute paths is from.

        It is the folder below which more than half of the paths are photos of this library. None if there is
        no such folder, or several, or if a path is below the root here.
        """
        counts: Counter[str] = Counter()
        absolute = [name for name in set(names) if is_absolute(name)]
        if any(Path(name).is_absolute() and any(self._paths_below_root(name, beside)) for name in absolute):
            return None
        for parts in map(_split, absolute):
            counts.update(
                "/".join(parts[:depth])
                for depth in range(1, len(parts))
                if len(self._lookup.find_by_name("/".join(parts[depth:]))) == 1
            )
        best = [(count, root) for root, count in counts.most_common(2) if 2 * count > len(absolute)]
        return best[0][1] if best and (len(best) == 1 or best[0][0] > best[1][0]) else None

    def find_below(self, other_root: str, name: str) -> Sequence[str]:
        """Find the photo of an absolute path below the root on another computer."""
        path = "/".join(_split(name)) if is_absolute(name) else ""
        below = path.removeprefix(f"{other_root}/")
        return self._lookup.find_by_name(below) if below != path else ()


def is_absolute(path: str) -> bool:
    """Is this an absolute path of any system, and no longer than paths are?"""
    if not _is_short(path) or len(_split(path)) > _MAX_PARTS:
        return False
    return path.startswith("/") or bool(PureWindowsPath(path).root)


def _is_short(path: str) -> bool:
    return len(path) <= _MAX_PATH and max(map(len, _split(path))) <= _MAX_PART


def _split(path: str) -> list[str]:
    return path.replace("\\", "/").split("/")


def _keys(path: PurePath) -> list[str]:
    return [caseless_key(part) for part in path.parts]
