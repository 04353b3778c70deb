"""Render the report as HTML: one file with embedded pictures, or pages with pictures beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from faceclust.outputs.html_page import data_uri, make_photo_href, render_page
from faceclust.outputs.report import text
from faceclust.outputs.report.places import format_coordinates
from faceclust.outputs.report.values import Report, ReportEntry

#: Groups without a name on each page of a folder.
GROUPS_PER_PAGE = 120
#: Groups without a name in the overview; further down or on other pages are all of them.
_MAX_OVERVIEW_GROUPS = 60

LinkBuilder = Callable[[str], str]
_Item = TypeVar("_Item")


def render_report(
    report: Report, pictures: Mapping[str, bytes], avatars: Mapping[str, bytes], root: Path, page: Path
) -> str:
    """Render the report as one file.

    `pictures` has JPEGs by face id, `avatars` smaller ones by person id, shown beside names. Links lead
    from `page` to the photos below `root`.
    """
    embedded = {face: data_uri(picture) for face, picture in pictures.items()}
    embedded_avatars = {person: data_uri(picture) for person, picture in avatars.items()}
    return _render_template(
        "report.html.j2",
        report,
        _PageLinks(make_photo_href(root, page), embedded.get, embedded_avatars, lambda entry: f"#{entry}"),
        split=False,
        group_pages=(),
        overview_groups=report.groups[:_MAX_OVERVIEW_GROUPS],
    )


def render_pages(report: Report, pictured: frozenset[str], root: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (file name, HTML) of each page of a folder.

    These are `index.html`, a page for each named person, and one for every GROUPS_PER_PAGE groups.
    `pictured` has the ids of the faces whose picture is at `picture_path` in the folder.
    """
    chunks = [report.groups[start : start + GROUPS_PER_PAGE] for start in range(0, len(report.groups), GROUPS_PER_PAGE)]
    files = {entry.id: f"person-{entry.id}.html" for entry in report.named}
    group_pages = [(f"groups-{number}.html", chunk) for number, chunk in enumerate(chunks, start=1)]
    files |= {entry.id: f"{name}#{entry.id}" for name, chunk in group_pages for entry in chunk}
    best = {entry.id: entry.best.face_id for entry in (*report.named, *report.groups) if entry.best}
    avatars = {person: picture_path(face) for person, face in best.items() if face in pictured}
    links = _PageLinks(
        make_photo_href(root, folder / "index.html"),
        lambda face: picture_path(face) if face in pictured else None,
        avatars,
        files.__getitem__,
    )
    render = partial(_render_template, report=report, links=links, split=True, group_pages=group_pages)
    yield "index.html", render("report.html.j2", overview_groups=report.groups[:_MAX_OVERVIEW_GROUPS])
    for number, entry in enumerate(report.named):
        turns = [(other.title, files[other.id]) if other else None for other in _neighbours(report.named, number)]
        yield files[entry.id], render("report_page.html.j2", people=[entry], title=entry.title, turns=turns)
    for number, (name, chunk) in enumerate(group_pages):
        neighbours = zip(("larger groups", "smaller groups"), _neighbours(group_pages, number), strict=True)
        turns = [(label, other[0]) if other else None for label, other in neighbours]
        title = f"Not named yet, {number + 1} of {len(group_pages)}"
        yield name, render("report_page.html.j2", people=chunk, title=title, turns=turns)


def _neighbours(items: Sequence[_Item], number: int) -> list[_Item | None]:
    """Return the items before and after `number`, None beyond either end."""
    return [items[i] if 0 <= i < len(items) else None for i in (number - 1, number + 1)]


def picture_path(face_id: str) -> str:
    """Return the path of a face's picture inside a report folder."""
    return f"pictures/{face_id[:2]}/{face_id}.jpg"


@dataclass(frozen=True)
class _PageLinks:
    """Link targets of a page: photos, pictures of faces (None if missing), avatars and persons.

    `photo_href` takes a photo's path, `picture_src` a face id, `person_href` a person id. `avatars` has
    small pictures by person id.
    """

    photo_href: LinkBuilder
    picture_src: Callable[[str], str | None]
    avatars: Mapping[str, str]
    person_href: LinkBuilder


def _render_template(template: str, report: Report, links: _PageLinks, *, split: bool, **values: Any) -> str:
    # The style sheet embeds each avatar once, however often the person is mentioned.
    used: dict[str, str] = {}

    def avatar(person: str) -> str:
        if person not in links.avatars:
            return ""
        return used.setdefault(person, f"a{len(used)}")

    defaults: dict[str, Sequence[ReportEntry] | str] = {"people": (), "overview_groups": (), "title": ""}
    return render_page(
        template,
        styles=["base.css", "report.css"],
        scripts=["report.js"],
        images="'self' file: data:" if split else "data:",
        report=report,
        split=split,
        href=links.photo_href,
        picture=links.picture_src,
        link=links.person_href,
        avatar=avatar,
        avatars=lambda: [(name, links.avatars[person]) for person, name in used.items()],
        coordinates=format_coordinates,
        text=text,
        **(defaults | values),
    )
