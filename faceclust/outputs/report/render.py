"""The report as HTML: in one file that holds its pictures, or as pages with pictures beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from faceclust.outputs.html_page import data_uri, make_photo_href, render_page
from faceclust.outputs.report import text
from faceclust.outputs.report.places import format_coordinates
from faceclust.outputs.report.values import Report, ReportEntry

#: Groups without a name on one page of a folder.
GROUPS_PER_PAGE = 120
#: Groups without a name in the overview; the others are farther down, or on pages of their own.
_MAX_OVERVIEW_GROUPS = 60

LinkBuilder = Callable[[str], str]


def render_report(
    report: Report, pictures: Mapping[str, bytes], avatars: Mapping[str, bytes], root: Path, page: Path
) -> str:
    """One file. `pictures`: JPEGs by face id; `faces`: smaller ones by person id, shown beside names;
    links lead from `page` to photos below `root`."""
    held = {face: data_uri(picture) for face, picture in pictures.items()}
    small = {person: data_uri(picture) for person, picture in avatars.items()}
    return _render_template(
        "report.html.j2",
        report,
        _PageLinks(make_photo_href(root, page), held.get, small, lambda entry: f"#{entry}"),
        split=False,
        group_pages=(),
        overview_groups=report.groups[:_MAX_OVERVIEW_GROUPS],
    )


def render_pages(report: Report, pictured: frozenset[str], root: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """(file name, HTML) of each page of a folder: `index.html`, one a person, and one for every
    GROUPS_A_PAGE groups. `choose_map_pictures`: faces whose picture lies at `picture_path` in the folder."""
    chunks = [report.groups[start : start + GROUPS_PER_PAGE] for start in range(0, len(report.groups), GROUPS_PER_PAGE)]
    files = {entry.id: f"person-{entry.id}.html" for entry in report.named}
    group_pages = [(f"groups-{number}.html", chunk) for number, chunk in enumerate(chunks, start=1)]
    files |= {entry.id: f"{name}#{entry.id}" for name, chunk in group_pages for entry in chunk}
    best = {entry.id: entry.best.face_id for entry in (*report.named, *report.groups) if entry.best}
    small = {person: picture_path(face) for person, face in best.items() if face in pictured}
    ways = _PageLinks(
        make_photo_href(root, folder / "index.html"),
        lambda face: picture_path(face) if face in pictured else None,
        small,
        files.__getitem__,
    )
    draw = partial(_render_template, report=report, links=ways, split=True, group_pages=group_pages)
    yield "index.html", draw("report.html.j2", overview_groups=report.groups[:_MAX_OVERVIEW_GROUPS])
    for number, entry in enumerate(report.named):
        around = [report.named[i] if 0 <= i < len(report.named) else None for i in (number - 1, number + 1)]
        turns = [(other.title, files[other.id]) if other else None for other in around]
        yield files[entry.id], draw("report_page.html.j2", people=[entry], title=entry.title, turns=turns)
    for number, (name, chunk) in enumerate(group_pages):
        places = [group_pages[i][0] if 0 <= i < len(group_pages) else None for i in (number - 1, number + 1)]
        turns = [
            (what, place) if place else None
            for what, place in zip(("larger groups", "smaller groups"), places, strict=True)
        ]
        title = f"Not named yet, {number + 1} of {len(group_pages)}"
        yield name, draw("report_page.html.j2", people=chunk, title=title, turns=turns)


def picture_path(face_id: str) -> str:
    """Where a folder has the picture of a face."""
    return f"pictures/{face_id[:2]}/{face_id}.jpg"


@dataclass(frozen=True)
class _PageLinks:
    """How a page leads elsewhere: to a photo, to the picture of a face (None: there is none), to
    small pictures by person id, and to a person's place in the report."""

    photo_href: LinkBuilder
    picture_src: Callable[[str], str | None]
    avatars: Mapping[str, str]
    person_href: LinkBuilder


def _render_template(template: str, report: Report, links: _PageLinks, *, split: bool, **values: Any) -> str:
    # A small picture stands in the style once, however often its name is spoken.
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
        words=text,
        **(defaults | values),
    )
