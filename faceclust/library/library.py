"""The conductor: the one place that joins the stages. Read it to see the flow.

scan     photos on disk      → folder caches        (scan/run.py: crawl, decode, detect, embed)
cluster  folder caches       → clusters.parquet
name     what the user says  → people.jsonl        (answers.py; what is forgotten: forget.py)
people   groups + journal    → persons
report                       ← persons            (pages.py)
albums, export               ← persons            (sharing.py)
import   other programs' files → people.jsonl     (importing.py)
find, together               ← persons            (searches.py)
evaluate, calibrate          ← names, groups      (measuring.py)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceclust.catalogue.constraints import build_constraints, describe_contradiction
from faceclust.cluster.group import Grouping, check_params, group_faces
from faceclust.cluster.numbering import Changes, compare_clusterings
from faceclust.errors import PackError, UsageError
from faceclust.files.names import PRECISIONS
from faceclust.library.calibration import AUTO_THRESHOLD, Measuring
from faceclust.library.exporting import Sharing
from faceclust.library.forgetting import Forgetting
from faceclust.library.identification import IdentifiedPhoto, identify
from faceclust.library.importing import Importing
from faceclust.library.naming import Answers
from faceclust.library.reporting import Pages
from faceclust.library.searching import Searches
from faceclust.packs.verify import require_files
from faceclust.people.identification import IDENTIFY_THRESHOLD, NEIGHBOURS
from faceclust.progress import Progress, ShouldStop
from faceclust.scan.unchanged import scan_unchanged
from faceclust.store.clusters import SavedClusterings
from faceclust.store.find_library import find_library, find_library_for_scan, relative_folder, remember_library
from faceclust.store.schema import release_memory
from faceclust.store.settings import precision_in_use, set_precision
from faceclust.types import ClusterParams

if TYPE_CHECKING:
    from faceclust.scan.result import ScanResult


class Library(Importing, Measuring, Answers, Searches, Pages, Sharing, Forgetting):
    """A photo library: the folder `root` and everything below it.

    What is known of it (`table`, `places`, `clustering`, `people()`, …) is read from disk once
    and kept until `scan`, `cluster` or an answer changes it. `progress` is told where long
    work is; by default nobody is. Nothing is written before `scan`.
    """

    @classmethod
    def find(cls, path: str | os.PathLike[str] | None = None, *, progress: Progress | None = None) -> Library:
        """The library named, else that of FACECLUST_LIBRARY, of a parent folder, or the last one
        scanned. Raises NoLibraryError."""
        return cls(find_library(Path(path) if path is not None else None), progress=progress)

    @classmethod
    def for_scan(
        cls,
        folders: Sequence[str | os.PathLike[str]] = (),
        path: str | os.PathLike[str] | None = None,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> Library:
        """The library that a scan of these folders belongs to: the one named, else the one the
        first folder lies in, else that folder itself, as a new library. `cache_dir`: where all its
        files are kept from then on. Raises UsageError."""
        return cls(find_library_for_scan(folders, path), cache_dir=cache_dir, progress=progress)

    # -- scan ---------------------------------------------------------------

    def scan(
        self,
        folders: Iterable[str | os.PathLike[str]] = (),
        *,
        workers: int | None = None,
        device: str = "auto",
        min_face: int | None = None,
        precision: str | None = None,
        should_stop: ShouldStop = lambda: False,
    ) -> ScanResult:
        """Find the faces of new and changed photos; forget photos that are gone.

        `folders`: parts of the library to look through, default all. `workers`: processes,
        default one a core; 0 works in this process. `device`: what the models run on, of
        `packs.session.DEVICES`. `min_face`: width of the smallest face looked for, in pixels of
        the photo, instead of the pack's own by the photo's size; photos in which only larger ones
        were looked for are looked at again. `precision`: what numbers embeddings are kept as, of
        `conventions.PRECISIONS`; the library remembers it, and what is there is brought to it. Once
        `stop_asked()` is true the photos in hand are finished and saved. Raises UsageError for a
        folder outside the library, a senseless width or precision, LibraryBusyError while another
        process scans or clusters it, PackError for a device, or models, that are not there.
        """
        starts = [relative_folder(self.root, Path(folder)) for folder in folders] or [""]
        if precision not in (None, *PRECISIONS):
            raise UsageError(f"no precision {precision!r}", hint=f"choose one of {', '.join(PRECISIONS)}")
        if min_face is None and precision is None:
            kept = precision_in_use(self.root).value
            if unchanged := scan_unchanged(self.home, starts, self.pack_name, kept):
                return unchanged
        from faceclust.packs.session import choose_device  # loads the model runtime
        from faceclust.scan.examine import ScanSettings
        from faceclust.scan.run import scan_folders

        require_files(self.pack)
        look = ScanSettings(self.pack, choose_device(device), min_face)
        with self.home.lock("scanning") as lock, self._filter_forgotten_faces() as watch:
            if precision:  # first, so that the next scan goes on with it where this one is broken off
                set_precision(precision, self.home)
            result = scan_folders(
                self.home,
                look,
                self.cache_info,
                starts,
                os.cpu_count() or 1 if workers is None else workers,
                self.progress,
                lambda: should_stop() or lock.lost,
                watch,
            )
            self.home.record_scan()
        remember_library(self.root)
        self._invalidate()
        self.record_relocated_faces()
        return result

    # -- cluster ------------------------------------------------------------

    def cluster(
        self, threshold: float | str = AUTO_THRESHOLD, *, full: bool = False, dry_run: bool = False, **options: Any
    ) -> Grouping:
        """Group the faces by person and keep the result; the one before it can be brought back.

        `threshold`: squared L2 up to which groups are merged (not used by hdbscan); "auto" is the
        calibrated one of this library, or 1.1, see `usual_threshold`. `choices`: other fields of
        `ClusterParams`, such as `algorithm` (average, complete, single, hdbscan), `min_size`
        (smaller groups are broken up) or `min_quality` (poorer faces join finished groups, or
        make some by themselves; 0: all take part). Groups keep their numbers from run to run; with
        the same choices they stay as they are and take in new faces, unless all are to be grouped
        `anew`. `dry_run` writes nothing.

        Two faces of one photo never share a group, save where a name given by the user says so;
        faces confirmed to be one person always do. Raises UsageError for a senseless number.
        """
        params = self._cluster_params(threshold, **options)
        check_params(params)
        self._warn_unknown_radius(params)
        with self.home.lock("grouping faces"):  # from the start: to be told at the end would waste the work
            self._invalidate()
            faces = self.table.face_table()
            present, before = self._saved_clusterings.read()
            constraints, contradictions = build_constraints(faces, self.answers, params)
            for contradiction in contradictions:
                photos = [self.occurrences_of[str(faces.face_ids[face])][0].photo for face in contradiction.faces]
                self.progress.note(describe_contradiction(contradiction, photos))
            self._invalidate()  # the rows take as much memory as the embeddings
            release_memory()
            history = [known for run in (present, before) if (known := self._remap_to_current_faces(run))]
            grouping = group_faces(
                faces,
                params,
                constraints,
                self.progress,
                history=history,
                models=self.embedding_space,
                full=full,
            )
            if not dry_run:
                self._saved_clusterings.save(grouping.clustering, present)
        self._invalidate()
        if dry_run:
            self.clustering = self._remap_to_current_faces(present)
        return grouping

    def _warn_unknown_radius(self, params: ClusterParams) -> None:
        with suppress(PackError):  # the models may be gone: their embeddings are not
            if self.pack.radius_source == "none" and params.algorithm != "hdbscan":
                self.progress.note(
                    f"the scale of the models {self.pack.name} is not known, so {params.threshold:g} may be far off; "
                    f"`faceclust models calibrate {self.pack.name} DIR` finds it on labelled photos"
                )

    def _cluster_params(self, threshold: float | str, **choices: Any) -> ClusterParams:
        if isinstance(threshold, str):
            if threshold != AUTO_THRESHOLD:
                raise UsageError(f"threshold {threshold!r} is no number", hint="or auto")
            ways = {name: choices[name] for name in ("algorithm", "second_pass") if name in choices}
            threshold = self.default_threshold(**ways)
        return ClusterParams(threshold=threshold, **choices)

    @property
    def _saved_clusterings(self) -> SavedClusterings:
        home = self.home
        return SavedClusterings(home.clusters, home.previous_clusters, home.existing_clusters(), self.progress.note)

    def undo_cluster(self, *, dry_run: bool = False) -> Changes:
        """Bring the clustering before the last one back, and keep the last in its place. Gives what
        changes by it. Raises UsageError where there is none."""
        with self.home.lock("grouping faces"):
            self._invalidate()
            present, before = self._saved_clusterings.read()
            if before is None:
                raise UsageError("there is no earlier grouping to go back to")
            if not dry_run:
                self._saved_clusterings.save(before, present)
        self._invalidate()
        here = np.array(sorted(self.occurrences_of), dtype=np.str_)
        now, then = (self._remap_to_current_faces(run) or before for run in (present, before))
        return compare_clusterings(now.restrict_to(here), then.restrict_to(here))

    # -- recognition --------------------------------------------------------

    def identify(
        self,
        photos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        threshold: float = IDENTIFY_THRESHOLD,
        k: int = NEIGHBOURS,
    ) -> Iterator[IdentifiedPhoto]:
        """Who is on these photos, of the library or others, each looked at when it is asked for.

        A face of the library keeps the name it has. Any other is compared with the confirmed faces
        of each person (the suggested ones where there is none) but those of its own photo: by the
        squared L2 to the mean of the `k` nearest. Nobody is named twice on a photo, unless the
        faces were grouped so. Photos of the library that have not changed, and copies of them,
        are not decoded. A photo that cannot be read has a `problem`. Raises UsageError for a
        senseless number, or where nobody has a name.
        """
        return identify(self, photos, threshold, k)
