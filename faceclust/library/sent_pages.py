"""Store the questions of sent pages: one private file each, in the library's home."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import make_private_folder, remove_file, write_private_atomically
from faceclust.files.own_files import UnsafeFileError, list_own, read_own
from faceclust.people.sent_page import MAX_PAGE_SIZE, SentPage, decode_page, encode_page
from faceclust.store.home import SENT_PAGES_NAME

#: Pages kept in a home. Answers to older ones cannot be taken in any more.
MAX_SENT_PAGES = 200


def save_sent_page(library: Catalogue, page: SentPage) -> None:
    """Keep the questions of a page. Raises CacheError, UsageError if they could not be read again."""
    library.home.create()
    file, content = _page_file(library.home.home, page.id), encode_page(page)
    if len(content) > MAX_PAGE_SIZE:
        raise UsageError("the page is about too many faces with long paths", hint="ask fewer questions: --questions 10")
    make_private_folder(file.parent)
    write_private_atomically(file, lambda stream: stream.write(content))
    _remove_oldest_pages(library.home.home, keep=file)


def _remove_oldest_pages(home: Path, keep: Path) -> None:
    """Remove the oldest pages above `MAX_SENT_PAGES`, except `keep`. One that cannot be removed stays."""
    ages = []
    for file in _list_pages(home):
        with contextlib.suppress(OSError):
            ages.append((file.lstat().st_mtime_ns, file))
    for _, file in sorted(ages)[:-MAX_SENT_PAGES]:
        if file != keep:
            with contextlib.suppress(CacheError):
                remove_file(file)


def remove_sent_page(library: Catalogue, page: SentPage) -> None:
    """Delete what `save_sent_page` wrote. Raises CacheError."""
    remove_file(_page_file(library.home.home, page.id))


def read_sent_page(library: Catalogue, page_id: str) -> SentPage:
    """Return the questions of a page. Raises UsageError if they are not of this library, CacheError."""
    for home in library.home.homes:
        file = _page_file(home, page_id)
        try:
            return decode_page(read_own(file, MAX_PAGE_SIZE))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CacheError(
                f"{file} cannot be read: {reason}", hint="send a new page: faceclust label --send"
            ) from error
    raise UsageError(
        f"these are answers to a page that was not made in {library.root}",
        hint="name the library that the page was made in: --library FOLDER",
    )


def erase_from_sent_pages(
    homes: Iterable[Path], face_ids: Collection[str], person_keys: Collection[str]
) -> Iterator[CacheError]:
    """Erase faces and people (keys of names) from all pages; yield each failure. A page that cannot be read goes."""
    for home in homes:
        for file in _list_pages(home):
            try:
                _erase_from_page(file, face_ids, person_keys)
            except CacheError as error:
                yield error


def _erase_from_page(file: Path, face_ids: Collection[str], person_keys: Collection[str]) -> None:
    try:
        page = decode_page(read_own(file, MAX_PAGE_SIZE))
    except (UnsafeFileError, ValueError):
        remove_file(file)
        return
    except OSError as error:
        raise CacheError(f"{file} cannot be read: {error.strerror or error}") from error
    left = page.without(face_ids, person_keys)
    if not any(left.questions):
        remove_file(file)
    elif left != page:
        write_private_atomically(file, lambda stream: stream.write(encode_page(left)))


def _list_pages(home: Path) -> list[Path]:
    with contextlib.suppress(UnsafeFileError):  # somebody else's link or file: nothing of ours is there
        return [home / SENT_PAGES_NAME / name for name in list_own(home / SENT_PAGES_NAME) if name.endswith(".json")]
    return []


def _page_file(home: Path, page_id: str) -> Path:
    return home / SENT_PAGES_NAME / f"{page_id}.json"
