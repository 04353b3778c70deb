"""Whole training runs on small data, from chips to a measured and installed pack."""

from __future__ import annotations

import csv
import dataclasses
import errno
import functools
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceclust.errors import CacheError, FaceclustError, PackError, UsageError
from faceclust.evaluation.library_score import ConfidenceInterval
from faceclust.evaluation.main_face_finder import MainFaceFinder, Picture, PictureTask
from faceclust.evaluation.main_faces import MainFaces, _stack
from faceclust.installer.add import add_pack_from_manifest
from faceclust.packs.manifest import read_manifest
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack, user_manifest_path
from faceclust.packs.session import OnnxModel
from faceclust.packs.verify import check_files
from faceclust.training import measure, parts, run
from faceclust.training.data.face_set import FaceSet, HeldOutPictures, TrainingData
from faceclust.training.measure import Comparison
from faceclust.training.options import TrainingOptions
from faceclust.training.report import TrainingReport
from faceclust.training.run import run_training, training_folder
from faceclust.version import __version__
from tests.support import tiny_networks
from tests.support.drawn_people import draw_people
from tests.support.patchwork_people import make_patchwork_people
from tests.support.recordio_files import write_records
from tests.support.training_records import CALIBRATION

PHOTOS = 3
OPTIONS = TrainingOptions("tiny", "softmax", {"dimension": 32}, {}, epochs=2, batch=32, seed=3)


def encode(chips: np.ndarray) -> tuple[bytes, ...]:
    def encode_one(chip: np.ndarray) -> bytes:
        out = io.BytesIO()
        Image.fromarray(chip).save(out, "PNG")
        return out.getvalue()

    return tuple(map(encode_one, chips))


@functools.cache
def make_data(make_people: Callable[..., FaceSet] = make_patchwork_people) -> TrainingData:
    train, others = make_people(60, PHOTOS), make_people(40, PHOTOS, first=1000)
    pictures = HeldOutPictures(
        encode(others.read(np.arange(len(others)))), np.array(others.people)[others.labels], aligned=True
    )
    return TrainingData(train, others, pictures, "ab" * 32, {"no face was found": 3}, "recordio")


_FOUND: dict[tuple[object, ...], MainFaces] = {}


def find_in_this_process(pictures: Sequence[Picture], pack: Pack, *, aligned: bool, **options: Any) -> MainFaces:
    key = (tuple(pictures), pack.fingerprint, aligned)
    if key not in _FOUND:
        finder = MainFaceFinder(pack, aligned)
        tasks = [PictureTask(i, picture, None) for i, picture in enumerate(pictures)]
        faces = [finder.work(task, finder.prepare(task)).main for task in tasks]
        _FOUND[key] = _stack(faces, pack.embedder.dimension)
    return _FOUND[key]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer a tiny backbone, and load patchwork people whatever the source is."""
    monkeypatch.setitem(sys.modules, "faceclust.training.backbones.tiny", tiny_networks)
    monkeypatch.setitem(parts.BACKBONES, "tiny", "tiny.TinyBackbone")
    monkeypatch.setattr(run, "load_training_data", lambda source, size, **options: make_data())
    monkeypatch.setattr(measure, "find_main_faces", find_in_this_process)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the measurements."""
    monkeypatch.setattr(run, "calibrate", lambda *arguments, **options: CALIBRATION)
    monkeypatch.setattr(run, "compare_packs", lambda *arguments, **options: None)


def train(name: str = "mine", options: TrainingOptions = OPTIONS, **more: Any) -> TrainingReport:
    return run_training(Path("/nowhere"), options, name, **more)


def files_of(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.slow
def test_a_better_pack_is_installed() -> None:
    report = train(licence="CC0-1.0", baseline="dlib")
    assert report.folder == training_folder("mine")
    assert files_of(report.folder) == [".lock", "checkpoint.pt", "embedder.onnx", "mine.toml", "report.json"]
    assert report.comparison is not None and report.calibration is not None and not report.interrupted
    # To dlib's ResNet patchworks are much alike.
    assert report.comparison.baseline.pack == "dlib" and report.comparison.verdict == "better"
    assert report.comparison.new.radius == report.calibration.radius == load_pack("mine").embedder.radius
    assert report.calibration.people == report.comparison.people == 20
    assert report.installed and report.refusal is None
    pack = load_pack("mine")
    assert all(check.state == "ok" for check in check_files(pack))
    assert pack.licence == "CC0-1.0" and pack.commercial is True
    record = pack.training
    assert record is not None and record.measured is not None and record.version == __version__
    assert (record.digest, record.people, record.faces, record.held_out_people) == ("ab" * 32, 60, 180, 40)
    assert record.backbone_settings == {"dimension": 32, "size": "32x32", "width": 1.0}
    assert (record.head, record.epochs, record.seed, record.learning_rate) == ("softmax", 2, 3, 0.1)
    assert record.measured.difference[1] > 0 and record.measured.people == 20
    assert record.measured.bcubed_f[0] == pytest.approx(report.comparison.new.f.value, abs=1e-5)
    written = json.loads((report.folder / "report.json").read_text())
    assert written["comparison"]["verdict"] == "better" and written["installed"] is True
    assert written["data"]["skipped"] == {"no face was found": 3} and len(written["history"]) == 2
    # The installed pack gives the embeddings that the measured one gave.
    vectors = [
        find_in_this_process(make_data().pictures.pictures[:4], one, aligned=True).chip
        for one in (pack, read_manifest(report.manifest))
    ]
    np.testing.assert_array_equal(*vectors)
    with pytest.raises(UsageError, match="there is already a pack called 'mine'"):
        train()


@pytest.mark.slow
def test_a_pack_that_is_not_better_is_kept_and_can_be_added_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = make_data(functools.partial(draw_people, side=32))
    monkeypatch.setattr(run, "load_training_data", lambda source, size, **options: drawn)
    monkeypatch.setattr(run, "train", train_nothing)
    report = train("poor", baseline="dlib")
    assert report.comparison is not None and report.comparison.verdict != "better"
    assert not report.installed and not user_manifest_path("poor").exists()
    assert report.comparison.difference.value == pytest.approx(
        report.comparison.new.f.value - report.comparison.baseline.f.value
    )
    assert report.comparison.baseline.pack == "dlib"
    added = add_pack_from_manifest(report.manifest, [])
    assert added.pack.name == "poor" and load_pack("poor").training == read_manifest(report.manifest).training


def export_nothing(backbone: object, head: object, path: Path) -> None:
    path.write_bytes(b"a network")


def train_nothing(backbone: Any, head: Any, *arguments: Any, **options: Any) -> run.Trained:
    """Return the network as it was initialised."""
    return run.Trained(backbone.eval(), head.eval(), (), 0, finished=True)


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_a_stopped_run_leaves_a_checkpoint_and_goes_on() -> None:
    whole = train("whole")
    calls = iter(range(1000))
    stopped = train(should_stop=lambda: next(calls) == 5)
    assert stopped.interrupted and stopped.comparison is None and not stopped.installed
    assert files_of(stopped.folder) == [".lock", "checkpoint.pt"]
    with pytest.raises(UsageError, match="already a training run called 'mine'") as raised:
        train()
    assert "--resume" in str(raised.value.hint)
    resumed = train(resume=True)
    assert not resumed.interrupted
    assert (resumed.folder / "embedder.onnx").read_bytes() == (whole.folder / "embedder.onnx").read_bytes()


@pytest.mark.usefixtures("unmeasured")
def test_a_finished_run_is_measured_again_by_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise FaceclustError("no")

    options = dataclasses.replace(OPTIONS, epochs=1)
    monkeypatch.setattr(run, "export_embedder", fail)
    with pytest.raises(FaceclustError, match="no"):
        train(options=options)
    monkeypatch.setattr(run, "export_embedder", export_nothing)
    report = train(options=options, resume=True)
    assert report.calibration == CALIBRATION and report.manifest.is_file() and len(report.history) == 1


@pytest.mark.parametrize(
    ("name", "change", "more", "words"),
    [
        ("Mine", {}, {}, "not a valid pack name"),
        ("../mine", {}, {}, "not a valid pack name"),
        ("sface", {}, {}, "name of a pack that faceclust knows"),
        ("mine", {"head": "none"}, {}, "unknown head 'none'"),
        ("mine", {"backbone": "none"}, {}, "unknown backbone 'none'"),
        ("mine", {"head_settings": {"size": 3}}, {}, "has no setting 'size'"),
        ("mine", {"head_settings": {"scale": -1.0}}, {}, "scale must be above 0"),
        ("mine", {"backbone_settings": {"width": 9.0}}, {}, "width must be above 0"),
        ("mine", {"device": "cuda:99"}, {}, "--device cuda:99 cannot be used"),
        ("mine", {}, {"licence": "a\nb"}, "--licence must be one line"),
        ("mine", {}, {"licence": ""}, "--licence must be one line"),
        ("mine", {}, {"resume": True}, "no training run called 'mine' to resume"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_work(
    name: str, change: dict[str, Any], more: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the data were loaded")

    monkeypatch.setattr(run, "load_training_data", refuse)
    with pytest.raises(UsageError, match=words) as raised:
        train(name, dataclasses.replace(OPTIONS, **change), **more)
    assert raised.value.hint and not training_folder("mine").joinpath("checkpoint.pt").exists()


def test_a_pack_in_use_without_files_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_training_data", None)
    with pytest.raises(PackError, match="the pack 'sface' cannot be used"):
        train(baseline="sface")


def test_two_runs_of_one_name_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*arguments: object, **options: object) -> TrainingData:
        (training_folder("mine") / "checkpoint.pt").write_bytes(b"")
        with pytest.raises(FaceclustError, match="another faceclust trains 'mine'"):
            train()
        raise InterruptedError

    monkeypatch.setattr(run, "load_training_data", load)
    with pytest.raises(InterruptedError):
        train()


@pytest.mark.slow
def test_a_full_disk_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "train", train_nothing)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CacheError, match=r"embedder\.onnx cannot be written: No space left on device"):
        train()
    assert files_of(training_folder("mine")) == [".lock"]


BETTER = Comparison(20, 20, 80, None, None, ConfidenceInterval(0.3, 0.2, 0.4))  # type: ignore[arg-type]


@pytest.mark.parametrize("problem", [None, "the best BCubed F is 0.42"])
def test_a_better_pack_may_be_refused(problem: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its trial run, or since it seems better if the pack in use puts all faces into one group."""

    def refuse(*arguments: object) -> None:
        raise PackError("it outputs nearly the same vector for different faces")

    found = dataclasses.replace(CALIBRATION, problem=problem)
    for name, replacement in {
        "train": train_nothing,
        "export_embedder": export_nothing,
        "calibrate": lambda *arguments, **options: found,
        "compare_packs": lambda *arguments, **options: BETTER,
        "measured_figures": lambda comparison: None,
        "add_pack_from_manifest": refuse,
    }.items():
        monkeypatch.setattr(run, name, replacement)
    report = train()
    words = f"radius could not be measured: {problem}" if problem else "nearly the same vector"
    assert not report.installed and words in str(report.refusal)
    written = json.loads((report.folder / "report.json").read_text())
    assert written["refusal"] == report.refusal and written["comparison"]["verdict"] == "better"


@pytest.mark.usefixtures("unmeasured")
def test_mislabelled_faces_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "export_embedder", export_nothing)
    data = make_data()
    labels = data.train.labels.copy()
    labels[0] = 7  # the first face of person 0, labelled as person 7
    people = tuple(f"={name}" for name in data.train.people)
    wrong = dataclasses.replace(data, train=dataclasses.replace(data.train, labels=labels, people=people))
    monkeypatch.setattr(run, "load_training_data", lambda source, size, **options: wrong)
    settings = {"scale": 16.0, "margin": 0.2}
    report = train(options=dataclasses.replace(OPTIONS, head="subcenter-arcface", head_settings=settings, epochs=1))
    with report.mislabelled_list.open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["face", "person", "degrees"] and len(rows) == 1 + (report.mislabelled or 0) > 1
    degrees = [float(row[2]) for row in rows[1:]]
    assert degrees == sorted(degrees, reverse=True) and min(degrees) >= 75
    named = {row[0]: row[1] for row in rows[1:]}
    position = {source: i for i, source in enumerate(data.train.sources)}
    for source, person in named.items():
        assert person == f"'{people[labels[position[source]]]}"


@pytest.mark.usefixtures("unmeasured")
def test_a_head_whose_norm_is_quality_sets_the_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "train", train_nothing)
    monkeypatch.setattr(run, "export_embedder", export_nothing)
    for head, norm in (("magface", CALIBRATION.norms), ("softmax", None)):
        report = train(f"with-{head}", dataclasses.replace(OPTIONS, head=head))
        assert read_manifest(report.manifest).embedder.norm == norm


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_layers_of_the_head_are_part_of_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[run.Trained] = []

    def keep(*arguments: Any, **options: Any) -> run.Trained:
        trained.append(train_nothing(*arguments))
        return trained[0]

    monkeypatch.setattr(run, "train", keep)
    report = train(options=dataclasses.replace(OPTIONS, head="groupface"))
    names = OnnxModel(report.folder / "embedder.onnx").output_shapes
    assert list(names) == ["embedding"]
    import torch

    chips = np.random.default_rng(0).uniform(-1, 1, (3, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        features = trained[0].backbone(torch.from_numpy(chips))
        wanted = trained[0].head.embed(features).numpy()
    found = OnnxModel(report.folder / "embedder.onnx")(chips)["embedding"]
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.linalg.norm(wanted, axis=1).max())
    assert np.linalg.norm(found - features.numpy()) > 0.01 * np.linalg.norm(found)


@pytest.mark.slow
def test_records_are_measured_in_worker_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is replaced except the backbone: RecordIO in, an installed pack out."""
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "faceclust.training.backbones.tiny", tiny_networks)
    monkeypatch.setitem(parts.BACKBONES, "tiny", "tiny.TinyBackbone")
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    faces = draw_people(80, 2, side=32)
    pictures = encode(faces.read(np.arange(len(faces))))
    folder = write_records(tmp_path / "faces", zip(faces.labels.tolist(), pictures, strict=True))
    report = run_training(folder, dataclasses.replace(OPTIONS, epochs=1), "mine", held_out=0.1, workers=1)
    assert report.data.origin == "recordio" and report.data.people + report.data.held_out_people == 80
    assert report.comparison is not None and report.comparison.faces == 40
    assert report.comparison.baseline.pack == "mobilefacenet", "the pack in use"
    assert report.comparison.new.without_face == 0
