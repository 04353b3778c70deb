"""Layouts: patterns for the paths of photos in albums, such as "{person}/{date:%Y}/{name}".

A pattern is parsed once, and only the fields of FIELDS are substituted. A pattern cannot reach
attributes or items of anything.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from faceclust.errors import UsageError
from faceclust.outputs.albums.safe_names import split_suffix
from faceclust.types import PhotoInfo

DEFAULT_LAYOUT = "{person}/{name}"
#: The folder of undated photos.
UNDATED = "undated"
NO_CAMERA = "unknown camera"
_DATE_FORMATS = {"date": "%Y-%m-%d", "year": "%Y", "month": "%m", "day": "%d"}
_FIELD_VALUES: dict[str, Callable[[str, PhotoInfo], str]] = {
    "person": lambda person, photo: person,
    "name": lambda person, photo: _file_name(photo),
    "stem": lambda person, photo: split_suffix(_file_name(photo))[0],
    "ext": lambda person, photo: split_suffix(_file_name(photo))[1].removeprefix("."),
    "folder": lambda person, photo: photo.photo.rpartition("/")[0],
    "camera": lambda person, photo: photo.camera or NO_CAMERA,
}
#: The fields that a pattern can have in braces.
FIELDS = (*_FIELD_VALUES, *_DATE_FORMATS)
_HINT = "fields: " + ", ".join(f"{{{name}}}" for name in FIELDS) + "; other date formats: {date:%Y-%m-%d %H.%M}"
#: The strftime directives that every system supports and whose output has no ":" or "/".
_DIRECTIVE = re.compile("%(.?)", re.S)
_DIRECTIVES = frozenset("YymdHIMSpjbBaAUWGVu%")
_SEPARATORS = " -_.,"


@dataclass(frozen=True)
class _LayoutPart:
    """A literal text (`field` is ""), or a field with its date format."""

    field: str
    text: str


@dataclass(frozen=True)
class PathStep:
    """A folder or file name in a path. `is_personal`: it belongs to one album only."""

    text: str
    is_personal: bool


@dataclass(frozen=True)
class Layout:
    """A parsed pattern; see `parse_layout`."""

    steps: tuple[tuple[_LayoutPart, ...], ...]

    def build_path(self, person: str, photo: PhotoInfo) -> list[PathStep]:
        """Return the folders and, last, the file name of a photo; names are not made safe yet.

        The file name always has the photo's own suffix.
        """
        path: list[PathStep] = []
        undated = photo.taken_at is None
        for parts in self.steps:
            is_personal = any(part.field == "person" for part in parts)
            if undated and _is_date_only(parts):
                if PathStep(UNDATED, False) not in path:
                    path.append(PathStep(UNDATED, False))
            elif [part.field for part in parts] == ["folder"]:
                path += [PathStep(folder, False) for folder in photo.photo.split("/")[:-1]]
            else:
                already_undated = PathStep(UNDATED, False) in path
                path.append(PathStep("".join(_render_parts(parts, person, photo, already_undated)), is_personal))
        ending = split_suffix(_file_name(photo))[1]
        if not path[-1].text.endswith(ending):
            path[-1] = PathStep(path[-1].text + ending, path[-1].is_personal)
        return path


def parse_layout(text: str) -> Layout:
    """Parse a pattern: steps separated by "/", fields in braces, "{{" for a literal brace.

    Raises UsageError, with the available fields, if the pattern is invalid or leads out of the folder.
    """
    try:
        steps = [tuple(step) for step in _split_steps(text)]
        for step in steps:
            _check_step(step)
        if not any(part.field in ("name", "stem") for part in steps[-1]):
            raise ValueError("its last part needs {name} or {stem}")
    except ValueError as error:
        raise UsageError(f"invalid layout {text!r}: {error}", hint=_HINT) from None
    return Layout(tuple(steps))


def _split_steps(text: str) -> Iterator[list[_LayoutPart]]:
    """Split a pattern at each "/", including those inside date formats."""
    step: list[_LayoutPart] = []
    for literal, field, date_format, conversion in string.Formatter().parse(text):
        parts = [_LayoutPart("", literal)] if literal else []
        if field is not None:
            parts.append(_parse_part(field, date_format or "", conversion))
        for part in parts:
            if not part.text:
                step.append(part)
                continue
            for number, between in enumerate(part.text.split("/")):
                if number:
                    yield step
                    step = []
                if between:
                    step.append(_LayoutPart(part.field, between))
    yield step


def _parse_part(field: str, date_format: str, conversion: str | None) -> _LayoutPart:
    if field not in FIELDS:
        raise ValueError(f"there is no field {{{field}}}")
    if conversion or (date_format and field != "date"):
        raise ValueError(f"{{{field}}} takes no format")
    if field not in _DATE_FORMATS:
        return _LayoutPart(field, "")
    for directive in _DIRECTIVE.findall(date_format):
        if directive not in _DIRECTIVES:
            raise ValueError(f"dates do not support %{directive}")
    if date_format and "%" not in date_format:
        raise ValueError(f"{date_format!r} is not a date format")
    return _LayoutPart("date", date_format or _DATE_FORMATS[field])


def _check_step(step: tuple[_LayoutPart, ...]) -> None:
    if not step:
        raise ValueError('a part is empty (a layout cannot start or end with "/", or contain "//")')
    literal = "".join(part.text for part in step if part.field in ("", "date"))
    refused = sorted(character for character in set(literal) if character in '<>:"\\|?*' or not character.isprintable())
    if refused:
        raise ValueError(f'not every disk allows {refused[0]!r} in a name ("/" separates folders)')
    if all(not part.field for part in step) and (not literal.strip(" .") or literal[0] == "."):
        raise ValueError(f"{literal!r} is not a valid folder name")


def _is_date_only(parts: tuple[_LayoutPart, ...]) -> bool:
    """Does this step have date fields and no others?"""
    return {part.field for part in parts if part.field} == {"date"}


def _render_parts(parts: tuple[_LayoutPart, ...], person: str, photo: PhotoInfo, already_undated: bool) -> list[str]:
    """Render each part of a step.

    Of an unknown date, UNDATED remains, or nothing if a folder above is UNDATED already. Then its
    separators are dropped as well.
    """
    texts: list[str] = []
    for number, part in enumerate(parts):
        if part.field == "date":
            texts.append(
                _format_date(photo.taken_at, part.text) if photo.taken_at else "" if already_undated else UNDATED
            )
            continue
        text = _FIELD_VALUES[part.field](person, photo) if part.field else part.text
        if not part.field and photo.taken_at is None and already_undated:
            if number and parts[number - 1].field == "date":
                text = text.lstrip(_SEPARATORS)
            elif [later.field for later in parts[number + 1 :]] == ["date"]:
                text = text.rstrip(_SEPARATORS)
        texts.append(text)
    return texts


def _format_date(taken: datetime, date_format: str) -> str:
    """Format a date one directive at a time: no other text reaches strftime."""
    return _DIRECTIVE.sub(lambda directive: taken.strftime(directive[0]), date_format)


def _file_name(photo: PhotoInfo) -> str:
    return photo.photo.rpartition("/")[2]
