"""Tell the files that faceclust keeps in a home from files that somebody else put there."""

from __future__ import annotations

import re

from faceclust.files.names import HOME_MARKER, PACK_NAME_PATTERN, is_cache_file_name
from faceclust.store.config import CONFIG_FILE_NAME
from faceclust.store.home import FOLDERS_NAME, SENT_PAGES_NAME, SET_ASIDE_NAME
from faceclust.store.roots_file import ROOTS_FILE_NAME, ROOTS_NAME

_FIXED_NAMES = frozenset(
    "clusters.parquet clusters-before.parquet last-scan lock lock.owner"
    " embeddings people.jsonl people.torn people.lock people.lock.owner seen.json".split()
) | {CONFIG_FILE_NAME, HOME_MARKER, ROOTS_FILE_NAME}
#: The path of a cache of an additional root, below the folder of all of them.
_ROOT_CACHE = re.compile(rf"[0-9a-f]+/{FOLDERS_NAME}/.+", re.DOTALL)
_SNAPSHOT = re.compile(rf"seen\.{PACK_NAME_PATTERN.pattern}\.json")
_THUMBNAIL = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]+\.jpg")
_SENT_PAGE = re.compile(r"[0-9a-f]{32}\.json")
#: The ends of the names of unfinished files and of claims of a lock.
_TEMPORARY_ENDS = re.compile(r"(?:\.[0-9a-f]*\.tmp)+\Z")


def is_home_file(path: str) -> bool:
    """Is this the path, in POSIX form and relative to the home, of a file that faceclust writes there?"""
    path = _TEMPORARY_ENDS.sub("", path)
    folder, _, rest = path.partition("/")
    name = rest.rpartition("/")[2]
    if folder == "thumbs":
        return _THUMBNAIL.fullmatch(rest) is not None
    if folder == SENT_PAGES_NAME:
        return _SENT_PAGE.fullmatch(rest) is not None
    if folder == FOLDERS_NAME:
        return is_cache_file_name(name)
    if folder == ROOTS_NAME:
        return _ROOT_CACHE.fullmatch(rest) is not None and is_cache_file_name(name)
    if folder == SET_ASIDE_NAME:
        return is_cache_file_name(f".{name}")
    return path in _FIXED_NAMES or _SNAPSHOT.fullmatch(path) is not None
