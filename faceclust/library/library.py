"""The class `Library`: one table of verbs over the catalogue. Read it to see the flow.

scan     photos on disk         → folder caches     (scanning)
cluster  folder caches          → clusters.parquet  (grouping)
name     the user's answers     → people.jsonl      (naming, drawn_faces, importing, forgetting)
people   groups + answers       → persons           (catalogue)
report   persons                → HTML              (pages, reporting, review)
export   persons                → albums, sidecars  (exporting)
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from faceclust.catalogue.catalogue import Catalogue
from faceclust.library import (
    additional_roots,
    answers_file,
    birth_dates,
    calibration,
    crops,
    drawn_faces,
    duplicates,
    exporting,
    forgetting,
    grouping,
    identification,
    importing,
    merging,
    naming,
    pages,
    person_facts,
    reporting,
    scanning,
    searching,
    training_faces,
    watching,
)
from faceclust.library import bulk_ignore as ignoring
from faceclust.library import review as reviewing
from faceclust.progress import Progress
from faceclust.store.find_library import find_library, find_library_for_scan
from faceclust.types.arguments import as_list


class Library(Catalogue):
    """A photo library: the folder `root` and everything below it.

        library = Library("~/Pictures")            # nothing is read or written yet
        library.scan()                             # find faces, cache their embeddings
        library.cluster()                          # group them by person
        library.name(1, "Anna")                    # group 1: a line in the journal, which `undo` takes back
        library.search("Anna", since="2019")       # photos of a person
        library.report("people.html")              # a page to look at

    Results are properties: `faces` (embeddings), `occurrences` (faces on photos), `photos`,
    `clustering`, `group_of`, `persons`, `answers`; `people()` and `unnamed_groups()` select persons.
    They are read when first needed and kept until a verb changes them, or until `invalidate()`.

    Faces are given by group number, name or face id, persons by name. Albums and sidecars are planned
    first and then made: `plan_albums` returns a value that `make_albums` carries out. Photos are only
    ever read. Failures raise a `FaceclustError` with a `hint`. Nothing is printed; long runs report to
    `progress`.
    """

    @classmethod
    def find(cls, path: str | os.PathLike[str] | None = None, *, progress: Progress | None = None) -> Library:
        """Open the library at `path`, or else the current one.

        The current one is that of FACECLUST_LIBRARY, of the working directory or a parent of it, or
        the last one scanned. Raises NoLibraryError if there is none.
        """
        return cls(find_library(path), progress=progress)

    @classmethod
    def for_scan(
        cls,
        folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        path: str | os.PathLike[str] | None = None,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> Library:
        """Open the library that a scan of these folders belongs to.

        That is the one at `path`, or else the one that contains the first folder, or else that
        folder itself as a new library. `cache_dir`: keep all files in this folder from now on.
        Raises UsageError if a folder is missing.
        """
        return cls(find_library_for_scan(as_list(folders), path), cache_dir=cache_dir, progress=progress)

    # -- scan and group -----------------------------------------------------

    scan = scanning.scan
    cluster = grouping.cluster
    undo_cluster = grouping.undo_cluster
    watch = watching.watch

    # -- several disks ------------------------------------------------------

    add_root = additional_roots.add_root
    remove_root = additional_roots.remove_root
    move_root = additional_roots.move_root

    # -- name people --------------------------------------------------------

    name = naming.name
    confirm = naming.confirm
    reject = naming.reject
    rename = naming.rename
    merge = merging.merge
    link = naming.link
    split = naming.split
    ignore = naming.ignore
    unignore = naming.unignore
    plan_bulk_ignore = ignoring.plan_bulk_ignore
    bulk_ignore = ignoring.bulk_ignore
    plan_bulk_unignore = ignoring.plan_bulk_unignore
    bulk_unignore = ignoring.bulk_unignore
    undo = naming.undo
    redo = naming.redo
    faces_remaining = naming.faces_remaining
    faces_before_birth = birth_dates.faces_before_birth

    # -- facts about people -------------------------------------------------

    facts_of = person_facts.facts_of
    plan_facts = person_facts.plan_facts
    set_facts = person_facts.set_facts

    # -- draw faces by hand -------------------------------------------------

    add_face = drawn_faces.add_face
    add_whole = drawn_faces.add_whole
    move_face = drawn_faces.move_face
    remove_faces = drawn_faces.remove_faces

    # -- names from elsewhere -----------------------------------------------

    plan_import = importing.plan_import
    import_names = importing.import_names
    import_journal = naming.import_journal
    plan_answers = answers_file.plan_answers
    import_answers = answers_file.import_answers

    # -- forget a person ----------------------------------------------------

    plan_forget = forgetting.plan_forget
    forget = forgetting.forget

    # -- find ---------------------------------------------------------------

    search = searching.search
    co_occurrences = searching.co_occurrences
    overviews = searching.overviews
    duplicates = duplicates.duplicates
    identify = identification.identify

    # -- look ---------------------------------------------------------------

    review = reviewing.review
    report = pages.report
    map = pages.map
    report_page = reporting.report_page
    report_folder = reporting.report_folder
    map_page = reporting.map_page
    thumbnails = reporting.thumbnails
    iter_thumbnails = reporting.iter_thumbnails

    # -- albums, sidecars, tables, crops -------------------------------------------

    plan_albums = exporting.plan_albums
    make_albums = exporting.make_albums
    plan_xmp = exporting.plan_xmp
    write_xmp = exporting.write_xmp
    export = exporting.export
    plan_crops = crops.plan_crops
    write_crops = crops.write_crops

    # -- measure and calibrate ----------------------------------------------

    evaluate = calibration.evaluate
    calibrate = calibration.calibrate
    default_threshold = calibration.default_threshold
    applicable_calibration = calibration.applicable_calibration
    has_calibration = calibration.has_calibration
    reset_calibration = calibration.reset_calibration

    # -- train --------------------------------------------------------------

    confirmed_faces = training_faces.confirmed_faces
