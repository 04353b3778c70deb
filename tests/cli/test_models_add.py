"""`models add` and `models calibrate`: from files to a scan and its groups."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from faceclust import Library
from faceclust.cli import cli
from faceclust.errors import FaceclustError, PackError
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.packs.registry import clear_pack_cache, load_pack, pack_names, user_models_folder
from faceclust.progress import SilentProgress
from faceclust.vision.pipeline import FacePipeline
from tests.support import synthetic_people, tiny_models
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait

PREPROCESSING = ("--template", "arcface", "--input", "rgb", "--mean", "127.5", "--scale", "127.5")
ROOT = Path(__file__).parents[2]
PEOPLE = 24


@pytest.fixture(scope="module")
def all_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_people.write_people(tmp_path_factory.mktemp("people"), PEOPLE)


@pytest.fixture
def people(all_people: Path, tmp_path: Path) -> Path:
    """Photos of some people in a folder each, not scanned."""
    shutil.copytree(all_people, tmp_path / "people")
    return tmp_path / "people"


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder with an installed detector of marks and an embedder that is not installed."""
    tiny_models.write_embedder(tmp_path / "my.onnx")
    run_models("add", synthetic_people.write_detector(tmp_path / "marks"))
    return tmp_path


class Notes(SilentProgress):
    """Collects notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def run_models(*arguments: str | Path) -> None:
    """Run a command of `models` in this process."""
    clear_pack_cache()
    cli.main(["models", *map(str, arguments)], standalone_mode=False)


@pytest.mark.slow
def test_added_model_scans_and_clusters(model_folder: Path, people: Path) -> None:
    done = run(
        "models",
        "add",
        model_folder / "my.onnx",
        *PREPROCESSING,
        "--detector",
        "marks",
        "--no-mirror",
        "--calibrate",
        people,
    )
    assert done.returncode == 0, done.stderr
    assert "12 dimensions" in done.stdout and "BCubed F" in done.stdout
    assert "the threshold 1.1 has no meaning until the pack is calibrated" in done.stdout
    assert "wrote " in done.stderr and "with fewer than 200 people" in done.stderr
    clear_pack_cache()
    pack = load_pack("my")
    assert pack.radius_source == "measured" and pack.embedder.radius != 1.0
    library = Library(people, pack=pack)
    result = library.scan(workers=2)
    assert result.faces == 4 * PEOPLE and not result.skipped
    clustering = library.cluster().clustering
    person_of = {place.face_id: place.photo.partition("/")[0] for place in library.occurrences}
    score = bcubed(clustering.labels, [person_of[face] for face in clustering.face_ids.tolist()])
    assert score.f > 0.95
    vectors = library.faces.embeddings
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), pack.embedder.radius, rtol=1e-2)


@pytest.mark.slow
def test_new_radius_regroups_without_a_rescan(model_folder: Path, people: Path) -> None:
    run_models(
        "add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks", "--no-mirror", "--threshold", "0.3"
    )
    library = Library(people, pack=load_pack("my"), progress=Notes())
    library.scan(workers=0)
    before = library.cluster()
    assert not library.progress.notes  # type: ignore[attr-defined]
    assert library.cluster().full_reason == ""
    run_models("calibrate", "my", people)
    clear_pack_cache()
    again = Library(people, pack=load_pack("my"))
    assert again.pack.fingerprint == library.pack.fingerprint
    assert again.scan(workers=0).scanned == 0
    grouping = again.cluster()
    assert grouping.full_reason == "the models have changed"
    assert len(grouping.clustering.labels) == len(before.clustering.labels)


@pytest.mark.slow
def test_dry_run_measures_and_writes_nothing(
    model_folder: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_models("add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks", "--dry-run")
    assert "my" not in pack_names()
    run_models("add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks", "--name", "one")
    manifest = user_models_folder() / "one" / "pack.toml"
    before = manifest.read_text()
    capsys.readouterr()
    run_models("calibrate", "one", people, "--dry-run", "--json")
    found = json.loads(capsys.readouterr().out)
    assert manifest.read_text() == before and not found["written"]
    assert found["people"] == PEOPLE and found["faces"] == 4 * PEOPLE and found["too_few"]
    low, high = found["as_good"]
    assert low <= found["best"] <= high and found["radius"] == pytest.approx((2.2 / (low + high)) ** 0.5, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spread", "words"), [(9.0, "the best BCubed F is 0"), (0.001, "of their middle, and at most")]
)
def test_inconclusive_faces_set_no_radius(
    model_folder: Path,
    people: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    spread: float,
    words: str,
) -> None:
    from faceclust.evaluation import radius
    from tests.evaluation.test_radius import faces_of

    run_models("add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks")
    before = (user_models_folder() / "my" / "pack.toml").read_text()
    units, _ = faces_of(40, 4, spread)
    monkeypatch.setattr(
        radius, "find_main_faces", lambda pictures, pack, **more: make_main_faces(units[: len(pictures)])
    )
    capsys.readouterr()
    with pytest.raises(FaceclustError, match=words):
        run_models("calibrate", "my", people, "--json")
    assert not json.loads(capsys.readouterr().out)["written"]
    run_models("calibrate", "my", people, "--dry-run")
    captured = capsys.readouterr()
    assert "would not set the radius" in captured.err and "BCubed" in captured.out
    assert (user_models_folder() / "my" / "pack.toml").read_text() == before


@pytest.mark.slow
def test_radius_of_the_embedded_pack_never_changes(
    people: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceclust.evaluation import radius
    from tests.evaluation.test_radius import faces_of

    units, _ = faces_of(40, 3, 0.3)
    monkeypatch.setattr(
        radius, "find_main_faces", lambda pictures, pack, **more: make_main_faces(units[: len(pictures)])
    )
    run_models("calibrate", "mobilefacenet", people)
    captured = capsys.readouterr()
    assert "the radius of an embedded pack stays" in captured.err and "BCubed" in captured.out
    assert not (user_models_folder() / "mobilefacenet").exists()


def make_main_faces(units: np.ndarray) -> object:
    from faceclust.evaluation.main_faces import MainFaces

    n = len(units)
    empty = np.zeros(n, np.float32)
    boxes, landmarks = np.zeros((n, 4), np.float32), np.zeros((n, 5, 2), np.float32)
    return MainFaces(np.ones(n, np.bool_), units, units, boxes, landmarks, empty, empty)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("my.onnx",), "my.onnx: missing --template, --input, --mean, --scale"),
        (("my.onnx", *PREPROCESSING[:6]), "my.onnx: missing --scale"),
        (("my.onnx", "my.onnx", *PREPROCESSING), "a pack of your own is made from one model, not 2 files"),
        (("my.onnx", *PREPROCESSING, "--mean", "abc"), "--mean must be one number or three with commas, not 'abc'"),
        (
            ("my.onnx", *PREPROCESSING, "--scale", "0"),
            "--scale must be one number other than 0 or three with commas, not '0'",
        ),
        (("my.onnx", *PREPROCESSING, "--mean", "1,2"), "three with commas, not '1,2'"),
        (("my.onnx", *PREPROCESSING, "--mean", "nan"), "--mean must be one number"),
        (("my.onnx", *PREPROCESSING, "--chip", "112"), "--chip must be WxH, 8 to 1024 pixels each, not '112'"),
        (("my.onnx", *PREPROCESSING, "--margin", "0.2"), "--margin needs --template box"),
        (
            ("my.onnx", *PREPROCESSING, "--threshold", "1", "--radius", "1"),
            "--threshold and --radius cannot be combined",
        ),
        (("my.onnx", *PREPROCESSING, "--name", "Mine!"), "'Mine!' is not a valid pack name"),
        (("my.onnx", *PREPROCESSING, "--detector", "nobody"), "no model pack called 'nobody'"),
        (("my.onnx", *PREPROCESSING, "--calibrate", "nowhere"), "nowhere is not a folder"),
        (("my.onnx", *PREPROCESSING, "--layout", "nhwc"), "which is not nhwc"),
        (("my.onnx", *PREPROCESSING, "--output", "other"), "has no output 'other'"),
        (("my.onnx", *PREPROCESSING, "--chip", "64x64"), "any×3×112×112, which does not fit chips of 64×64"),
        (("my.onnx", *PREPROCESSING, "--scale", "1e-50"), "--scale must be one number other than 0"),
        (("nowhere.onnx", *PREPROCESSING), "cannot be read"),
        ((".", *PREPROCESSING), "cannot be read: it is a folder"),
        (("my.onnx", *PREPROCESSING, "--licence", ""), "--licence must be one line"),
        (("my.onnx", *PREPROCESSING, "--licence", "MIT\n"), "--licence must be one line"),
        (("my.onnx", *PREPROCESSING, "--licence", "x" * 301), "--licence must be one line"),
        (("my.onnx", *PREPROCESSING, "--threshold", "1e-9"), "not in the range"),
        (("marks/marks.toml", *PREPROCESSING), "cannot be combined with marks/marks.toml"),
        (("--pack", "marks", "my.onnx", *PREPROCESSING), "cannot be combined with the pack 'marks'"),
        (("--pack", "marks", "marks/marks.toml"), "--pack cannot be combined with --name or a manifest"),
        (("--pack", "nobody", "my.onnx"), "no model pack called 'nobody'"),
        (("--pack", "mobilefacenet", "my.onnx"), "comes with faceclust"),
        (("marks/marks.onnx",), "belongs to the pack 'marks'"),
    ],
    ids=str,
)
def test_invalid_input_gets_one_line_and_installs_nothing(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(model_folder)
    with pytest.raises((FaceclustError, click.UsageError), match=words) as failure:
        run_models("add", *arguments)
    assert "\n" not in str(failure.value)
    assert "my" not in pack_names() and not list(user_models_folder().glob(".adding*"))


@pytest.mark.slow
def test_licence_terms_are_accepted_before_anything_is_installed(model_folder: Path) -> None:
    manifest = model_folder / "marks" / "marks.toml"
    manifest.write_text(manifest.read_text().replace("schema = 1", 'schema = 1\ncommercial = false\nname = "bound"', 1))
    manifest.write_text(manifest.read_text().replace('name = "marks"\n', "", 1))
    done = run("models", "add", manifest)
    assert done.returncode == 2 and "not free for commercial use" in done.stderr and "add --yes" in done.stderr
    assert not (user_models_folder() / "bound").exists()
    run_checked("models", "add", manifest, "--dry-run")
    run_checked("models", "add", manifest, "--yes")
    assert (user_models_folder() / "bound" / "agreed-to.txt").is_file()
    run_checked(
        "models", "add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "bound"
    )  # its terms are accepted already
    run_checked("models", "add", model_folder / "my.onnx", *PREPROCESSING, "--name", "free")
    allows = {pack["name"]: pack["commercial"] for pack in json.loads(run_checked("models", "list", "--json"))["packs"]}
    assert (allows["my"], allows["free"], allows["mobilefacenet"]) == (False, None, True)
    (line,) = [line for line in run_checked("models", "list").splitlines() if line.startswith("  free ")]
    assert line.endswith("?") and "allows:   unknown" in run_checked("models", "show", "free")
    assert run("models", "add", "--pack", "magface", model_folder / "my.onnx", model_folder / "my.onnx").returncode != 0
    assert not (user_models_folder() / "magface").exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_scan_with_an_incompatible_model_ends_with_one_line(model_folder: Path, people: Path, workers: int) -> None:
    run_models("add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks")
    manifest = user_models_folder() / "my" / "pack.toml"
    manifest.write_text(
        manifest.read_text().replace('kind = "scrfd"', 'kind = "retinaface"').replace("scrfd =", "retinaface =")
    )
    clear_pack_cache()
    library = Library(people, pack=load_pack("my"))
    with pytest.raises(
        PackError, match=r"pack 'my': the model's outputs are not RetinaFace's: expected .*found"
    ) as failure:
        library.scan(workers=workers)
    assert "\n" not in str(failure.value)
    assert not list(people.rglob(".faceclust*.parquet"))
    done = run("models", "calibrate", "my", people)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("error: pack 'my': the model's outputs")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_terminal_is_asked_for_a_folder_to_calibrate_on(
    model_folder: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[str] = []

    def answer(text: str, *arguments: object, **options: object) -> str:
        prompts.append(text)
        return str(people)

    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", answer)
    run_models("add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks")
    assert len(prompts) == 1 and "<person>/<photo>" in prompts[0]
    clear_pack_cache()
    assert load_pack("my").radius_source == "measured"


@pytest.mark.slow
def test_too_few_people_are_refused(model_folder: Path, tmp_path: Path) -> None:
    few = synthetic_people.write_people(tmp_path / "few", 3)
    run_models("add", model_folder / "my.onnx", *PREPROCESSING, "--detector", "marks")
    done = run("models", "calibrate", "my", few)
    assert done.returncode == 2 and "3 with a face" in done.stderr
    pack = load_pack("my")
    assert pack.radius_source == "none"
    library = Library(few, pack=pack, progress=Notes())
    library.scan(workers=0)
    library.cluster()
    (note,) = library.progress.notes  # type: ignore[attr-defined]
    assert "the scale of the pack my is unknown" in note


@pytest.mark.skipif("FACECLUST_TEST_YUNET" not in os.environ, reason="set it to OpenCV Zoo's YuNet 2023mar")
def test_real_yunet(tmp_path: Path) -> None:
    run_checked("models", "add", ROOT / "tests/benchmarks/yunet.toml", os.environ["FACECLUST_TEST_YUNET"])
    clear_pack_cache()
    analyser, mobilefacenet = FacePipeline(load_pack("yunet")), FacePipeline(load_pack("mobilefacenet"))
    for person in (COLLINS, HOPPER):
        pixels = np.asarray(load_portrait(person))
        found, expected = analyser.detect(pixels), mobilefacenet.detect(pixels)
        assert len(found) == len(expected) == 1
        eyes = np.linalg.norm(expected.landmarks[0, 1] - expected.landmarks[0, 0])
        assert np.abs(found.landmarks - expected.landmarks).max() < 0.25 * eyes
        ((_, ours, *_),) = analyser.embed([found], [analyser.align(pixels, analyser.refine(pixels, found))])
        ((_, theirs, *_),) = mobilefacenet.embed([expected], [mobilefacenet.align(pixels, expected)])
        assert ((ours - theirs) ** 2).sum() < 0.3
