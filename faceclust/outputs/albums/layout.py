"""Where in the albums a photo goes: a pattern such as "{person}/{date:%Y}/{name}".

A pattern is taken apart when it is read, and only the fields listed here are ever put in: no
attribute or index of anything can be reached by one.
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
#: Where photos go whose date is not known.
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
#: What can stand in braces.
FIELDS = (*_FIELD_VALUES, *_DATE_FORMATS)
_HINT = "fields: " + ", ".join(f"{{{name}}}" for name in FIELDS) + "; a date in other forms: {date:%Y-%m-%d %H.%M}"
#: Of the directives of strftime those that every system knows, and that hold no ":" or "/".
_DIRECTIVE = re.compile("%(.?)", re.S)
_DIRECTIVES = frozenset("YymdHIMSpjbBaAUWGVu%")
_SEPARATORS = " -_.,"


@dataclass(frozen=True)
class _LayoutPart:
    """A text as it is (no field), or a field with the form its date is to have."""

    field: str
    text: str


@dataclass(frozen=True)
class PathStep:
    """A folder or file on the way to a photo. `of_person`: it is one person's, who shares it with
    nobody."""

    text: str
    is_personal: bool


@dataclass(frozen=True)
class Layout:
    """A pattern, taken apart; `parse_layout` makes one."""

    steps: tuple[tuple[_LayoutPart, ...], ...]

    def build_path(self, person: str, photo: PhotoInfo) -> list[PathStep]:
        """The folders a photo of this person goes into, and its name there last; none of them made
        safe yet. The name always ends as the photo's does."""
        path: list[PathStep] = []
        undated = photo.taken_at is None
        for parts in self.steps:
            of_person = any(part.field == "person" for part in parts)
            if undated and _is_date_only(parts):
                if PathStep(UNDATED, False) not in path:
                    path.append(PathStep(UNDATED, False))
            elif [part.field for part in parts] == ["folder"]:
                path += [PathStep(folder, False) for folder in photo.photo.split("/")[:-1]]
            else:
                said = PathStep(UNDATED, False) in path
                path.append(PathStep("".join(_render_parts(parts, person, photo, said)), of_person))
        ending = split_suffix(_file_name(photo))[1]
        if not path[-1].text.endswith(ending):
            path[-1] = PathStep(path[-1].text + ending, path[-1].is_personal)
        return path


def parse_layout(text: str) -> Layout:
    """A layout from its pattern: steps with "/" between them, fields in braces, "{{" for a brace.
    Raises UsageError, with the fields there are, for one that is senseless or leads elsewhere."""
    try:
        steps = [tuple(step) for step in _split_steps(text)]
        for step in steps:
            _check_step(step)
        if not any(part.field in ("name", "stem") for part in steps[-1]):
            raise ValueError("its last part needs {name} or {stem}")
    except ValueError as error:
        raise UsageError(f"the layout {text!r} cannot be used: {error}", hint=_HINT) from None
    return Layout(tuple(steps))


def _split_steps(text: str) -> Iterator[list[_LayoutPart]]:
    """The parts between one "/" and the next, also where that stands in the form of a date."""
    step: list[_LayoutPart] = []
    for literal, field, form, conversion in string.Formatter().parse(text):
        parts = [_LayoutPart("", literal)] if literal else []
        if field is not None:
            parts.append(_parse_part(field, form or "", conversion))
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
        raise ValueError(f"{{{field}}} takes no form")
    if field not in _DATE_FORMATS:
        return _LayoutPart(field, "")
    for directive in _DIRECTIVE.findall(date_format):
        if directive not in _DIRECTIVES:
            raise ValueError(f"a date has no %{directive}")
    if date_format and "%" not in date_format:
        raise ValueError(f"{date_format!r} is no form of a date")
    return _LayoutPart("date", date_format or _DATE_FORMATS[field])


def _check_step(step: tuple[_LayoutPart, ...]) -> None:
    if not step:
        raise ValueError('a part is empty (an album cannot begin or end with "/", nor have "//")')
    literal = "".join(part.text for part in step if part.field in ("", "date"))
    refused = sorted(character for character in set(literal) if character in '<>:"\\|?*' or not character.isprintable())
    if refused:
        raise ValueError(f'{refused[0]!r} cannot be in a name on every disk ("/" goes between folders)')
    if all(not part.field for part in step) and (not literal.strip(" .") or literal[0] == "."):
        raise ValueError(f"{literal!r} is no name for a folder")


def _is_date_only(parts: tuple[_LayoutPart, ...]) -> bool:
    """Is a date all that this step is about?"""
    return {part.field for part in parts if part.field} == {"date"}


def _render_parts(parts: tuple[_LayoutPart, ...], person: str, photo: PhotoInfo, already_undated: bool) -> list[str]:
    """What stands for each part. A date that is not known leaves no separators of its own behind."""
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
            elif [after.field for after in parts[number + 1 :]] == ["date"]:
                text = text.rstrip(_SEPARATORS)
        texts.append(text)
    return texts


def _format_date(taken: datetime, date_format: str) -> str:
    """Directive by directive: what else is in the form never reaches the system."""
    return _DIRECTIVE.sub(lambda directive: taken.strftime(directive[0]), date_format)


def _file_name(photo: PhotoInfo) -> str:
    return photo.photo.rpartition("/")[2]
