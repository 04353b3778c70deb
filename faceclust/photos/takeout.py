"""The JSON files that Google Takeout puts beside photos: who is on the photo, and when it was taken.

The format is not documented; its names and spellings are known from the tools that read it.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from faceclust.text.caseless import caseless_key
from faceclust.text.dates import is_photo_date

#: Larger files are no such JSON. Further people, and further characters of a title, are ignored.
MAX_TAKEOUT_BYTES, MAX_PEOPLE, _MAX_TITLE = 1_000_000, 1_000, 1_000
_SUPPLEMENT = ".supplemental-metadata"
#: Names are cut to 46 characters without ".json", and to 51 in all. Some are counted in bytes, and some lose
#: the length of "(1)": a name that was cut has at least this number of bytes.
_MIN_CUT_BYTES, _MAX_NAME = 40, 51
#: What Google appends to the names of edited photos, in its languages, and to effects.
_EDITED = (
    *("-edited", "-effects", "-smile", "-mix", "-edytowane", "-bearbeitet", "-bewerkt", "-modifié", "-ha editado"),
    *("-editado", "-editada", "-modificato", "-redigeret", "-redigerad", "-redigert", "-muokattu", "-upraveno"),
    *("-düzenlendi", "-szerkesztett", "-editat", "-отредактировано", "-изменено", "-編集済み", "-编辑", "-已修改"),
    *("-已編輯", "-수정됨", "-편집됨"),
)
_COPY_PATTERN = re.compile(r"(.*?)(\(\d{1,5}\))", re.DOTALL)
#: Keys of which a photo's JSON has at least one, other than the JSON of an album.
_MARKS = {"photoTakenTime", "people", "googlePhotosOrigin", "imageViews"}
#: Characters of a title that file names cannot have.
_REPLACED_PATTERN = re.compile(r"""[\x00-\x1f&%'"<>:/\\|?*]""")


class BadTakeoutError(ValueError):
    """The file cannot be a photo's JSON from Google Takeout; the message has the reason."""


@dataclass(frozen=True)
class TakeoutFacts:
    """The facts about a photo: `title` is its name at Google Photos, and `people` are the names of the people on it.

    `taken_at` is in the time zone by the longitude, to the hour, or else in UTC, as the photo's own zone is
    not recorded; None if missing.
    """

    title: str
    people: tuple[str, ...] = ()
    taken_at: datetime | None = None


def read_takeout(data: bytes) -> TakeoutFacts | None:
    """Read a photo's JSON; None for JSON of another kind. Raises BadTakeoutError for what is no JSON."""
    if len(data) > MAX_TAKEOUT_BYTES:
        raise BadTakeoutError(f"it is larger than {MAX_TAKEOUT_BYTES:,} bytes")
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadTakeoutError("it is not JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get("title"), str) or not _MARKS & record.keys():
        return None
    return TakeoutFacts(record["title"][:_MAX_TITLE], tuple(_read_people(record.get("people"))), _read_time(record))


def index_takeout_names(names: Iterable[str]) -> dict[str, list[str]]:
    """Index the JSON files among the names in a folder, for `find_takeout_json`."""
    index: dict[str, list[str]] = {}
    for name in sorted(names):
        if name.lower().endswith(".json"):
            index.setdefault(caseless_key(name[: -len(".json")]), []).append(name)
    return index


def find_takeout_json(photo_name: str, index: Mapping[str, list[str]]) -> str | None:
    """Find the JSON of a photo by its file name, among those in its folder; None if it is missing or ambiguous."""
    for stem in _possible_stems(photo_name) if photo_name else ():
        if found := index.get(caseless_key(stem)):
            exact = [name for name in found if name[: -len(".json")] == stem]
            return (exact or found)[0] if len(exact or found) == 1 else None
    return None


def belongs_to_photo(facts: TakeoutFacts, json_name: str, photo_name: str) -> bool:
    """Is the JSON that was found for a photo its own? Names that were cut to the same text differ by the title."""
    titles = {title for title, _ in _possible_titles(photo_name)}
    return any(
        caseless_key(json_name).startswith(caseless_key(title)) or _is_title_of(facts.title, title) for title in titles
    )


def normalise_title(title: str) -> str:
    """Return a title as it appears in file names, in a form that is the same for all spellings."""
    return caseless_key(_REPLACED_PATTERN.sub("_", title))


def _possible_stems(photo_name: str) -> Iterator[str]:
    """Yield the names that a photo's JSON may have, without ".json", the likeliest first."""
    for title, copy in _possible_titles(photo_name):
        full = title + _SUPPLEMENT
        yield full + copy
        yield title + copy
        for length in range(len(full) - 1, 0, -1):
            if length != len(title):
                if length < len(title) and len(full[:length].encode("utf-8", "surrogatepass")) < _MIN_CUT_BYTES:
                    break
                yield full[:length] + copy


def _possible_titles(photo_name: str) -> Iterator[tuple[str, str]]:
    """Yield the titles that a photo of this name may have, with the number of a copy such as "(1)"."""
    stem, dot, ending = photo_name.rpartition(".")
    if not dot:
        stem, ending = photo_name, ""
    ending = dot + ending
    yield photo_name, ""
    if copy := _COPY_PATTERN.fullmatch(stem):
        yield copy[1] + ending, copy[2]
    bare, number = (copy[1], copy[2]) if copy else (stem, "")
    if original := _remove_edited(bare, may_be_cut=len(photo_name) >= _MAX_NAME - 4):
        yield original + number + ending, ""
        if number:
            yield original + ending, number
        elif copy := _COPY_PATTERN.fullmatch(original):
            yield copy[1] + ending, copy[2]
    if dot and stem:
        yield stem, ""  # the title has no extension


def _remove_edited(stem: str, *, may_be_cut: bool) -> str:
    """Remove what Google appends to the name of an edited photo; "" if it is missing."""
    folded = unicodedata.normalize("NFC", stem)
    for suffix in _EDITED:
        shortest = 2 if may_be_cut else len(suffix)
        for length in range(len(suffix), shortest - 1, -1):
            if folded.casefold().endswith(suffix[:length]):
                return folded[:-length]
    return ""


def _is_title_of(title: str, photo_name: str) -> bool:
    """Is this the title of a photo whose file name may have been cut, or lost characters?"""
    expected, name = normalise_title(title), normalise_title(photo_name)
    stem, dot, ending = name.rpartition(".")
    if name == expected or (stem and stem == expected):  # some titles have no extension
        return True
    return len(name) >= _MAX_NAME - 4 and expected.startswith(stem) and expected.endswith(dot + ending)


def _read_people(value: Any) -> Iterator[str]:
    for person in (value if isinstance(value, list) else [])[:MAX_PEOPLE]:
        name = person.get("name") if isinstance(person, dict) else None
        if isinstance(name, str) and name.strip():
            yield name.strip()


def _read_time(record: Mapping[str, Any]) -> datetime | None:
    """Return the time of `photoTakenTime`, in the solar time zone of the place if there is one."""
    taken = record.get("photoTakenTime")
    try:
        seconds = int(taken["timestamp"]) if isinstance(taken, dict) else 0
        if not seconds:
            return None
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        date = (utc + timedelta(hours=_zone_of(record))).replace(tzinfo=None)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return date if is_photo_date(date) else None


def _zone_of(record: Mapping[str, Any]) -> int:
    """Return the hours from UTC by the longitude; 0 if the place is missing."""
    for key in ("geoDataExif", "geoData"):
        place = record.get(key)
        if isinstance(place, dict):
            latitude, longitude = place.get("latitude"), place.get("longitude")
            numbers = [value for value in (latitude, longitude) if isinstance(value, int | float)]
            if len(numbers) == 2 and any(numbers) and math.isfinite(numbers[1]) and abs(numbers[1]) <= 180:
                return round(numbers[1] / 15)
    return 0
