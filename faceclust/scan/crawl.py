"""Find the photo files of a library, folder by folder, always in the same order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path

from faceclust.files.names import is_video_name
from faceclust.photos.formats import has_photo_signature
from faceclust.photos.live_photos import is_movie_of_photo
from faceclust.photos.reading import read_head
from faceclust.scan.listing import FileEntry, FolderListing, has_extension, list_folders
from faceclust.types import PhotoRef


def is_photo_file(path: Path) -> bool:
    """Return whether a file begins like a photo, reading only its first bytes. Raises OSError."""
    return has_photo_signature(read_head(path))


class PhotoFolder:
    """One folder of a library and its photos, sorted by name.

    Photos are recognised by their extension. Files without one are checked by content when `photos`
    is first used. A file that cannot be read counts as a photo: examining it reports the reason.
    """

    def __init__(self, root: Path, listing: FolderListing) -> None:
        self.listing, self._root = listing, root

    @property
    def rel_path(self) -> str:
        """POSIX path below the root, "" for the root."""
        return self.listing.rel_path

    @property
    def error(self) -> str | None:
        """The reason why the folder could not be listed, None if it was."""
        return self.listing.error

    @cached_property
    def photos(self) -> tuple[PhotoRef, ...]:
        """References to the photos in the folder, and to the videos that are not part of a photo."""
        files = [file for file in self.listing.files if file[0] not in self.movies_of_photos and self._is_photo(file)]
        return tuple(PhotoRef(self._rel_path_of(file), *file[1:]) for file in files)

    @cached_property
    def movies_of_photos(self) -> frozenset[str]:
        """The names of the movies that belong to a photo beside them: of Live Photos and motion photos."""
        names = [file[0] for file in self.listing.files]
        movies = [name for name in names if is_video_name(name)]
        if not movies:
            return frozenset()
        photos = {_stem(name): name for name in reversed(names) if not is_video_name(name)}
        folder = self._root / self.rel_path
        return frozenset(
            name
            for name in movies
            if (photo := photos.get(_stem(name))) is not None and is_movie_of_photo(folder / name, folder / photo)
        )

    def _is_photo(self, file: FileEntry) -> bool:
        if has_extension(file[0]):
            return True
        try:
            return is_photo_file(self._root / self._rel_path_of(file))
        except FileNotFoundError:  # deleted since it was listed
            return False
        except OSError:
            return True

    def _rel_path_of(self, file: FileEntry) -> str:
        return f"{self.rel_path}/{file[0]}" if self.rel_path else file[0]


def _stem(name: str) -> str:
    """Return what a photo and its movie have in common: the name without extension, and without what iCloud adds."""
    return name.rpartition(".")[0].lower().removesuffix("_hevc")


def crawl(
    root: Path, start: str = "", included: Collection[str] = (), *, videos: bool = False
) -> Iterator[PhotoFolder]:
    """Yield every folder from `start` (POSIX path below `root`) down, as `list_folders` does."""
    return (PhotoFolder(root, listing) for listing in list_folders(root, start, included, videos=videos))
