"""A training run from labelled faces to a measured pack."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceclust.errors import FaceclustError, PackError, UsageError
from faceclust.files.atomic import make_private_folder, write_private_atomically
from faceclust.files.lock import plain_lock
from faceclust.files.own_files import own_exists, translate_os_errors
from faceclust.files.user_folders import data_folder
from faceclust.installer.add import add_pack_from_manifest
from faceclust.installer.staging import check_pack_name
from faceclust.packs.manifest import parse_manifest
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.packs.training_record import MeasuredFigures, TrainingRecord
from faceclust.packs.verify import require_files, sha256_of
from faceclust.progress import Progress, ShouldStop, SilentProgress
from faceclust.store.settings import pack_in_use
from faceclust.text.csv_cells import guard_cell
from faceclust.text.json_text import to_json
from faceclust.training.backbones.base import MEAN, SCALE
from faceclust.training.data.face_set import TrainingData
from faceclust.training.data.sources import LibraryFace, list_bin_files, load_training_data
from faceclust.training.export import export_embedder
from faceclust.training.heads.subcenter_arcface import SubcenterArcFace
from faceclust.training.measure import Calibration, calibrate, compare_packs, split_held_out
from faceclust.training.mislabelled import find_mislabelled
from faceclust.training.options import TrainingOptions
from faceclust.training.pack_manifest import DETECTOR_PACK, build_trained_manifest, measured_figures
from faceclust.training.parts import build_backbone, build_head, check_settings, final_settings
from faceclust.training.processes import join_processes, main_process_first
from faceclust.training.report import (
    CHECKPOINT_NAME,
    EMBEDDER_NAME,
    REPORT_NAME,
    DataSummary,
    TrainingReport,
    training_record,
)
from faceclust.training.trainer import Trained, embed_faces, is_main_process, seed_everything, train
from faceclust.version import __version__

__all__ = ["TrainingReport", "run_training", "training_folder"]

_RUNS_FOLDER = "training"
_MAX_LICENCE_LENGTH = 300  # characters, the longest that a manifest takes


@dataclass(frozen=True)
class _Plan:
    """What was asked for. `baseline` is the pack in use."""

    source: Path | Sequence[LibraryFace]
    options: TrainingOptions
    name: str
    baseline: Pack
    licence: str
    workers: int | None
    progress: Progress


@dataclass(frozen=True)
class _StoppableProgress:
    """Raises KeyboardInterrupt at the next step once a stop is asked for. What is cut or measured so far is kept."""

    progress: Progress
    should_stop: ShouldStop

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        self.progress.start(stage, total, unit)

    def advance(self, steps: int = 1, **counts: int | str) -> None:
        self.progress.advance(steps, **counts)
        if self.should_stop():
            raise KeyboardInterrupt

    def note(self, message: str) -> None:
        self.progress.note(message)

    def finish(self) -> None:
        self.progress.finish()


def training_folder(name: str) -> Path:
    """Return the folder of the run called `name`. It may not exist."""
    return data_folder() / _RUNS_FOLDER / name


def run_training(
    source: Path | Sequence[LibraryFace],
    options: TrainingOptions,
    name: str,
    *,
    held_out: float = 0.1,
    licence: str = "not known",
    baseline: str | None = None,
    resume: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop = lambda: False,
) -> TrainingReport:
    """Train an embedder, export it, measure it on the held-out people, and install it as the pack `name` if it is
    better than the pack `baseline` there, by default the pack in use.

    `source` and `held_out` are as in `load_training_data`. `licence` is that of the data. All files of the run lie in
    `training_folder(name)`. A stopped run leaves its checkpoint there, from which `resume` goes on. A stop while faces
    are cut or packs are measured raises KeyboardInterrupt. Of torchrun's
    processes only the first one writes, exports and measures. Raises UsageError if an option, the name or the data
    cannot be used, PackError if a pack is unusable, CacheError if a file cannot be written, and FaceclustError if the
    network cannot be exported.
    """
    check_settings(options)
    _check_names(name, licence)
    in_use = load_pack(baseline or pack_in_use().value)
    for pack in (in_use, load_pack(DETECTOR_PACK)):
        require_files(pack)
    progress = progress if progress and is_main_process() else SilentProgress()
    stoppable = _StoppableProgress(progress, should_stop)
    plan = _Plan(source, options, name, in_use, licence, workers, stoppable)
    join_processes(options.device)
    with _own_folder(name, resume=resume) as folder:
        seed_everything(options.seed)
        backbone = build_backbone(options.backbone, options.backbone_settings)
        with main_process_first(options.device):
            data = load_training_data(
                source, backbone.input_size, held_out=held_out, workers=workers, progress=stoppable
            )
        head = build_head(options.head, backbone.dimension, len(data.train.people), options.head_settings)
        trained = train(
            backbone,
            head,
            data.train,
            data.held_out,
            options,
            folder / CHECKPOINT_NAME,
            resume=resume,
            progress=progress,
            should_stop=should_stop,
            digest=data.digest,
        )
        report = TrainingReport(
            name,
            folder,
            options,
            _summarise(data),
            trained.history,
            trained.images,
            interrupted=not trained.finished,
        )
        if report.interrupted or not is_main_process():
            return report
        return _finish(plan, report, trained, data)


def _check_names(name: str, licence: str) -> None:
    try:
        check_pack_name(name, replace=False)
    except PackError as error:
        raise UsageError(str(error), hint="choose another name: -o NAME, of up to 41 of a-z, 0-9, - and _") from error
    if not licence.isprintable() or not 1 <= len(licence) <= _MAX_LICENCE_LENGTH:
        raise UsageError(
            f"--licence must be one line of 1 to {_MAX_LICENCE_LENGTH} characters",
            hint="the licence's name, such as CC-BY-4.0",
        )


@contextlib.contextmanager
def _own_folder(name: str, *, resume: bool) -> Iterator[Path]:
    """Yield the folder of a run, locked by the main process. Raises UsageError if another run has it, or if there is
    nothing to resume."""
    folder = training_folder(name)
    if not is_main_process():
        yield folder
        return
    if resume and not _has_checkpoint(folder):
        raise UsageError(f"there is no training run called {name!r} to resume", hint="leave --resume out")
    busy = FaceclustError(f"another faceclust trains {name!r}", hint="wait until it is done, or choose another name")
    make_private_folder(folder)
    with _lock(folder, busy):
        if not resume and _has_checkpoint(folder):
            raise UsageError(
                f"there is already a training run called {name!r}, in {folder}",
                hint="continue it with --resume, choose another name (-o NAME), or delete the folder",
            )
        yield folder


def _has_checkpoint(folder: Path) -> bool:
    with translate_os_errors():
        return own_exists(folder / CHECKPOINT_NAME)


@contextlib.contextmanager
def _lock(folder: Path, busy: FaceclustError) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        with translate_os_errors():
            held.enter_context(plain_lock(folder / ".lock", busy))
        yield


def _summarise(data: TrainingData) -> DataSummary:
    return DataSummary(
        origin=data.origin,
        digest=data.digest,
        people=len(data.train.people),
        faces=len(data.train),
        held_out_people=len(data.held_out.people),
        held_out_faces=len(data.held_out),
        skipped=data.skipped,
    )


def _finish(plan: _Plan, report: TrainingReport, trained: Trained, data: TrainingData) -> TrainingReport:
    """Export and measure a trained network; install the pack if it is better than the one in use."""
    plan.progress.start("exporting the network", None)
    export_embedder(trained.backbone, trained.head, report.folder / EMBEDDER_NAME)
    plan.progress.finish()
    report = replace(report, mislabelled=_list_mislabelled(report, trained, data))
    report = _install_if_better(_measure(plan, report, trained, data))
    content = to_json(training_record(report), indent=2).encode()
    write_private_atomically(report.folder / REPORT_NAME, lambda stream: stream.write(content))
    return report


def _list_mislabelled(report: TrainingReport, trained: Trained, data: TrainingData) -> int | None:
    """Write the list of faces that are probably of other people, and return their number, if the head finds them."""
    if not isinstance(trained.head, SubcenterArcFace):
        return None
    units, _ = embed_faces(trained.backbone, trained.head, data.train, device=report.options.device)
    found = find_mislabelled(trained.head, units, data.train.labels)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("face", "person", "degrees"))
    for position, degrees in found:
        person = data.train.people[data.train.labels[position]]
        writer.writerow((guard_cell(data.train.sources[position]), guard_cell(person), f"{degrees:.1f}"))
    content = text.getvalue().encode("utf-8", "backslashreplace")
    write_private_atomically(report.mislabelled_list, lambda stream: stream.write(content))
    return len(found)


def _measure(plan: _Plan, report: TrainingReport, trained: Trained, data: TrainingData) -> TrainingReport:
    """Measure the exported network beside the pack in use, and write the manifest."""
    file = report.folder / EMBEDDER_NAME
    identity = sha256_of(file), file.stat().st_size

    def build(calibration: Calibration | None = None, measured: MeasuredFigures | None = None) -> str:
        return build_trained_manifest(
            plan.name,
            f"{trained.backbone.title} trained with {trained.head.title}",
            dimension=trained.backbone.dimension,
            chip_size=trained.backbone.input_size,
            levels=(MEAN, SCALE),
            file=identity,
            licence=plan.licence,
            calibration=calibration,
            use_norm=trained.head.norm_is_quality,
            record=_record(plan.options, trained, report.data, measured),
        )

    first, second = split_held_out(data.pictures)
    draft = parse_manifest(build(), report.folder)
    calibration = calibrate(draft, first, workers=plan.workers, progress=plan.progress)
    pack = parse_manifest(build(calibration), report.folder)
    lists = list_bin_files(plan.source) if isinstance(plan.source, Path) and data.origin == "recordio" else []
    comparison = compare_packs(pack, plan.baseline, second, lists, workers=plan.workers, progress=plan.progress)
    text = build(calibration, measured_figures(comparison) if comparison else None)
    write_private_atomically(report.manifest, lambda stream: stream.write(text.encode()))
    return replace(report, calibration=calibration, comparison=comparison)


def _install_if_better(report: TrainingReport) -> TrainingReport:
    """Install a pack that is better than the one in use, unless 1.1 means nothing for it or its trial run fails."""
    if report.comparison is None or report.comparison.verdict != "better":
        return report
    if report.calibration is not None and report.calibration.problem:
        return replace(report, refusal=f"its radius could not be measured: {report.calibration.problem}")
    try:
        add_pack_from_manifest(report.manifest, [], report.name)
    except PackError as error:
        return replace(report, refusal=str(error))
    return replace(report, installed=True)


def _record(
    options: TrainingOptions, trained: Trained, data: DataSummary, measured: MeasuredFigures | None
) -> TrainingRecord:
    head = trained.head
    return TrainingRecord(
        digest=data.digest,
        origin=data.origin,
        people=data.people,
        faces=data.faces,
        held_out_people=data.held_out_people,
        backbone=options.backbone,
        backbone_settings=final_settings(trained.backbone, options.backbone_settings),
        head=options.head,
        head_settings=final_settings(head, options.head_settings),
        epochs=options.epochs,
        batch=options.batch,
        people_per_batch=options.people_per_batch,
        learning_rate=head.learning_rate if options.learning_rate is None else options.learning_rate,
        precision=options.precision,
        seed=options.seed,
        version=__version__,
        measured=measured,
    )
