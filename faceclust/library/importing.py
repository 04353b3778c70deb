"""Import the names that other programs have given to people on the photos."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from faceclust.catalogue.catalogue import Catalogue
from faceclust.files.names import RAW_EXTENSIONS, is_video_name
from faceclust.files.user_folders import expand_user
from faceclust.importers.keywords import PeopleTags
from faceclust.importers.library_names import LibraryNames
from faceclust.importers.plan import FaceNaming, ImportPlan
from faceclust.importers.reconcile import reconcile
from faceclust.importers.sources import classify_sources
from faceclust.library.birth_dates import note_named_before_birth
from faceclust.library.drawing_many import collect_hand_answers, draw_additions, record_additions
from faceclust.library.kept_facts import note_kept_facts
from faceclust.library.naming import journal_transaction
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.names import clean_name, person_key
from faceclust.progress import ShouldStop
from faceclust.types import FaceOccurrence, PhotoInfo
from faceclust.types.arguments import as_list, require_text

#: Formats in which something other than the EXIF orientation tells how the picture is rotated.
_NON_EXIF_ORIENTATION_EXTENSIONS = (".heic", ".heif", ".hif", ".avif", ".jxl", *sorted(RAW_EXTENSIONS))


def plan_import(
    library: Catalogue,
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    *,
    contacts: str | os.PathLike[str] | None = None,
    keywords: bool = False,
    people_tags: str | Sequence[str] = (),
    add_faces: bool = False,
) -> ImportPlan:
    """Collect the names that other programs gave to the library's faces, and plan to import them.

    `sources`: folders, photos of the library, XMP sidecars, Picasa's `.picasa.ini` and
    `contacts.xml`, JSON files of Google Takeout, tables (CSV), or catalogues of digiKam, Lightroom and Immich.
    A folder outside the library holds sidecars in the same tree as their photos. Default: all photos and
    the files beside them. `contacts`: a `contacts.xml`. A name without a position on the photo is
    suggested for the face whose group is on the photos with this name; with `keywords`, also for the
    photo's only unnamed face. A name is also only suggested for a face that looks unlike the others of the
    name. `people_tags`: keywords below these tags are names, too. `add_faces`: plan to draw faces by hand where
    names have a place but no face was found, and to put people on the whole photo if it shows no unnamed face.
    Raises UsageError for a missing source, an unreadable table or catalogue.
    """
    from faceclust.importers.collect import collect_names  # loads the file readers
    from faceclust.library.import_check import suggest_unlike_faces  # loads the clustering

    paths = [expand_user(source) for source in as_list(sources)]
    contacts_file = expand_user(contacts) if contacts is not None else None
    # The boxes of other programs have no time, by which faces of a video could be told apart.
    photos = {photo: info for photo, info in library.photos.items() if not is_video_name(photo)}
    chosen = classify_sources(library.roots, paths, contacts_file, photos)
    for tag in as_list(people_tags):
        require_text("a tag", tag)
    tags = PeopleTags(tuple(as_list(people_tags)))
    collected = collect_names(library.roots, photos, chosen, library.progress, tags)
    photos_with_regions = {names.photo for names in collected.photo_names if names.regions}
    known = _collect_library_names(library, photos_with_regions)
    if any(names.people for names in collected.photo_names) and library.groups is not None:  # slow with many faces
        known = replace(known, persons=library.persons)
    plan = reconcile(collected, known, keywords=keywords, add_faces=add_faces)
    people = {*library.known_names, *map(person_key, plan.faces_per_person)}
    return replace(
        suggest_unlike_faces(library, plan),
        skipped_regions=dict(+collected.skipped_regions),
        skipped_tags=_count_skipped_tags(collected.other_keywords, people),
    )


def _count_skipped_tags(keywords: Mapping[tuple[str, str], int], people: Collection[str]) -> dict[str, int]:
    """Count the keywords with the names of these people (keys of names) by parent tag, most first."""
    counts = Counter[str]()
    for (parent, keyword), count in keywords.items():
        if person_key(clean_name(keyword)) in people:
            counts[parent] += count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def import_names(
    library: Catalogue, plan: ImportPlan, *, workers: int | None = None, should_stop: ShouldStop = lambda: False
) -> list[Event]:
    """Record a plan's names in the journal: one event per person and source, each on disk before the next.

    The faces to draw are examined first, in `workers` processes (see `scan`). Once `should_stop()` is true, the
    other faces are left for another import. Faces named since the plan was made are left out. Photos that cannot be
    read, or have changed, are noted. Raises CacheError if a cache or the journal cannot be written; events recorded
    before that stay. Raises LibraryBusyError if faces are to be drawn during a scan, PackError if the models are
    missing.
    """
    events = []
    drawn = draw_additions(library, plan.additions, workers, should_stop) if plan.additions else []
    with journal_transaction(library):
        library.invalidate_people()
        groups: dict[tuple[str, str, tuple[str, ...], bool], list[FaceNaming]] = defaultdict(list)
        for naming in plan.namings:
            label = library.answers.labels.get(naming.face_id)
            is_answered = label is not None and (label.confirmed or label.name is None)
            if naming.face_id in library.occurrences_of and not is_answered:
                groups[person_key(naming.name), naming.name, naming.sources, naming.confirmed].append(naming)
        for name in dict.fromkeys(sorted(name for _, name, _, _ in groups)):
            note_kept_facts(library, name)
        for (_, name, sources, confirmed), namings in sorted(groups.items()):
            faces = [
                JournalFace.from_occurrence(library.occurrences_of[naming.face_id][0], confirmed=confirmed)
                for naming in namings
            ]
            events.append(library.journal.record("name", faces, name=name, source=" and ".join(sources)))
        events += record_additions(library, drawn)
    _note_contradictions(library, events)
    return events


def _note_contradictions(library: Catalogue, events: Iterable[Event]) -> None:
    """Note once for each person which of the imported names are contradicted by the dates of photos."""
    if not library.date_evidence:
        return
    named: dict[str, dict[str, bool]] = defaultdict(dict)  # name → face → confirmed
    for event in events:
        if event.name is not None:
            named[event.name] |= {face.face_id: face.confirmed for face in event.faces}
    for name, faces in named.items():
        here = [face for face in faces if face in library.occurrences_of]
        note_named_before_birth(library, name, here, [face for face in here if faces[face]])


def _collect_library_names(library: Catalogue, photos_with_regions: Iterable[str]) -> LibraryNames:
    faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for occurrence in sorted(library.occurrences, key=lambda occurrence: occurrence.is_whole_photo):
        faces[occurrence.photo].append(occurrence)
    people = library.people()
    spelling = {
        person_key(name): name for name in (*library.answers.missing_names, *(person.label for person in people))
    }
    renamed = trace_renames(library.journal.events(), spelling.keys())
    renamed |= {key: name for key, name in library.known_names.items() if key not in spelling}
    oriented = {photo: _with_stored_orientation(library, library.photos[photo]) for photo in photos_with_regions}
    return LibraryNames(
        photos=library.photos | oriented,
        faces=faces,
        resolved=library.answers,
        spelling=spelling,
        renamed=renamed,
        current_names={face: person.label for person in people for face in person.face_ids},
        by_hand=collect_hand_answers(library, renamed),
    )


def _with_stored_orientation(library: Catalogue, photo: PhotoInfo) -> PhotoInfo:
    """The photo with the orientation that other programs go by, if that is not EXIF's."""
    if not photo.photo.lower().endswith(_NON_EXIF_ORIENTATION_EXTENSIONS):
        return photo
    from faceclust.photos.orientation import read_orientation  # loads the decoders

    try:
        found = read_orientation(library.path_of(photo.photo))
    except FileNotFoundError:  # deleted since the scan
        return photo
    return replace(photo, orientation=found.orientation) if found else photo


def trace_renames(events: Iterable[Event], used: Iterable[str]) -> dict[str, str]:
    """Map the former keys of renamed and merged persons to their current names.

    Keys of names that somebody has now are left out.
    """
    current, taken = dict[str, str](), frozenset(used)
    for event in effective_events(events):
        if event.name is not None and event.to is not None:
            old_key = person_key(event.name)
            current = {key: event.to if person_key(name) == old_key else name for key, name in current.items()}
            current[old_key] = event.to
    return {key: name for key, name in current.items() if key not in taken}
