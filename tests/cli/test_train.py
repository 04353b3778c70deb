"""`faceclust train`: options, the list of heads and backbones, errors, the report and interruptions."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faceclust import Library
from faceclust.cli import train as train_command
from faceclust.cli.help import chapter
from faceclust.cli.output.training import print_training
from faceclust.cli.output.training_parts import _format_setting
from faceclust.cli.terminal import progress
from faceclust.cli.train import _parse_setting
from faceclust.errors import UsageError
from faceclust.files.user_folders import data_folder
from faceclust.training.options import TrainingOptions
from faceclust.training.parts import BACKBONES, HEADS, PUBLISHED, is_published
from tests.support.command import COMMAND, run, run_checked, wait_for

pytest.importorskip("torch")

# -- options ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([], "train needs a folder of people", "--confirmed"),
        (["{folder}/missing"], "missing does not exist", "a folder for each person"),
        (["{folder}/photo.jpg"], "photo.jpg is not a folder", "a folder for each person"),
        (["{folder}", "--confirmed"], "not on DIR", "leave out DIR or --confirmed"),
        (["{folder}", "-l", "{folder}"], "--library needs --confirmed", "add --confirmed"),
        (["{folder}", "--head", "arc"], "--head must be one of softmax, contrastive, center", "train --help"),
        (["{folder}", "--backbone", "vgg"], "--backbone must be one of mobilefacenet, nn1", "train --help"),
        (["{folder}", "--device", "tpu"], "--device must be cpu, cuda or cuda:N, not 'tpu'", "train --help"),
        (["{folder}", "--device", "cuda:99"], "--device cuda:99 cannot be used", "cpu"),
        (["{folder}", "--epochs", "0"], "--epochs must be a whole number from 1 to 10000, not 0", "train --help"),
        (["{folder}", "--people-per-batch", "64", "--batch", "32"], "from 0 to 32, not 64", ""),
        (["{folder}", "--lr", "-1"], "--lr must be above 0", ""),
        (["{folder}", "--held-out", "0.9"], "--held-out: 0.9 is not in the range", "train --help"),
        (["{folder}", "--set", "scale=3"], "--set must be head.NAME=VALUE or backbone.NAME=VALUE", "train --list"),
        (["{folder}", "--set", "head.skale=3"], "head arcface has no setting 'skale'; it has: scale, margin", "--list"),
        (["{folder}", "--set", "backbone.depth=9"], "backbone mobilefacenet has no setting 'depth'", "--list"),
        (["{folder}", "--set", "head.scale=wide"], "head.scale must be a number, not 'wide'", "--list"),
        (["{folder}", "--set", "head.scale=-3"], "scale must be above 0 and at most 10,000, not -3", "--list"),
        (["{folder}", "--set", "head.scale=inf"], "--set head.scale must be a finite number, not inf", ""),
        (["{folder}", "--set", "backbone.width=-1"], "backbone mobilefacenet: width must be", "--list"),
        (["{folder}", "-o", "../mine"], "'../mine'", ""),
    ],
)
def test_invalid_input_is_one_line_with_a_hint(tmp_path: Path, arguments: list[str], message: str, hint: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    done = run("train", *(word.format(folder=tmp_path) for word in arguments))
    assert done.returncode == 2 and done.stdout == ""
    error, *rest = done.stderr.splitlines()
    assert error.startswith("error: ") and message in error
    assert len(rest) <= 1 and hint in "".join(rest)


@pytest.mark.parametrize("arguments", [["--list"], ["/"], ["--confirmed"]])
def test_a_missing_torch_is_named(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_command, "find_spec", lambda name: None)
    done = run("train", *arguments)
    assert done.returncode == 2
    assert done.stderr == (
        "error: training needs PyTorch, which is not installed\nhint: pip install 'faceclust[train]'\n"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("32", 32),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("false", False),
        ("semi-hard", "semi-hard"),
        ("96x112", "96x112"),
        ("a=b", "a=b"),
    ],
)
def test_values_of_settings_are_numbers_flags_or_words(text: str, value: object) -> None:
    found = _parse_setting(f"head.some_name={text}")
    assert found == ("head", "some_name", value) and type(found[2]) is type(value)


@pytest.mark.parametrize(
    "text", ["head.scale", "head.=1", "head.scale=", "tail.scale=1", "head.Scale=1", "scale=1", ""]
)
def test_other_settings_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be head\.NAME=VALUE"):
        _parse_setting(text)


def test_options_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = record_runs(monkeypatch)
    run("train", tmp_path)
    run(
        *("train", tmp_path, "-o", "mine", "--head", "triplet", "--batch", "64", "--people-per-batch", "8", "--amp"),
        *("--set", "head.mining=hard", "--set", "backbone.width=0.5", "--set", "head.mining=all", "--epochs", "3"),
        *("--lr", "0.02", "--seed", "7", "--held-out", "0.25", "--licence", "MIT", "--resume"),
    )
    (plain, plain_name, _), (options, name, others) = [(one[1], one[2], one[3]) for one in runs]
    assert plain == TrainingOptions() and plain_name == "mobilefacenet-arcface"
    assert name == "mine" and options == TrainingOptions(
        head="triplet",
        head_settings={"mining": "all"},  # the last one counts
        backbone_settings={"width": 0.5},
        epochs=3,
        batch=64,
        people_per_batch=8,
        learning_rate=0.02,
        seed=7,
        precision="bfloat16",
    )
    assert (others["held_out"], others["licence"], others["resume"]) == (0.25, "MIT", True)


def test_help_and_manual_name_the_least_number_of_held_out_people() -> None:
    from faceclust.training.data.split import MIN_HELD_OUT_PEOPLE, MIN_HELD_OUT_REPEATED
    from faceclust.training.mislabelled import ANGLE

    manual = " ".join(chapter("training").split())
    assert f"at least {MIN_HELD_OUT_PEOPLE} people" in " ".join(run_checked("train", "--help").split())
    assert f"at least {MIN_HELD_OUT_PEOPLE}, half of them" in manual
    assert MIN_HELD_OUT_PEOPLE == 2 * MIN_HELD_OUT_REPEATED and f"more than {ANGLE:g}° from" in manual


# -- the list -----------------------------------------------------------------


def test_the_list_shows_each_head_and_backbone_within_80_columns() -> None:
    printed = run_checked("train", "--list", env={"COLUMNS": "120"})
    record = json.loads(run_checked("train", "--list", "--json"))
    assert [head["name"] for head in record["heads"]] == list(HEADS)
    assert [backbone["name"] for backbone in record["backbones"]] == list(BACKBONES)
    assert max(map(len, printed.splitlines())) <= 80
    text = " ".join(printed.split())
    for part in (*record["heads"], *record["backbones"]):
        assert f"{part['name']}: {part['title']}" in text
        # A line may break behind a hyphen.
        squeezed = text.replace(" ", "")
        assert part["paper"].replace(" ", "") in squeezed and part.get("formula", "").replace(" ", "") in squeezed
        for name, value in part["settings"].items():
            shown = PUBLISHED if is_published(value) else value
            assert _parse_setting(f"head.{name}={_format_setting(value)}")[2] == shown
            assert f"{name}={_format_setting(value)}" in text


# -- the run and its report ---------------------------------------------------


def record_runs(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[tuple[Any, ...]]:
    """Replace the run by one that returns a report at once. Return the list of its arguments."""
    from faceclust.training import run as module

    runs: list[tuple[Any, ...]] = []

    def run_training(source: Any, options: TrainingOptions, name: str, **others: Any) -> Any:
        runs.append((source, options, name, others))
        return replace(make_report(), name=name, options=options, **changes)

    monkeypatch.setattr(module, "run_training", run_training)
    return runs


def make_report() -> Any:
    """A run whose pack is worse than the one in use."""
    from faceclust.evaluation.library_score import ConfidenceInterval
    from faceclust.evaluation.metrics.verification import AllPairsScores, TarAtFar
    from faceclust.training.checkpoint import EpochRecord
    from faceclust.training.measure import Calibration, Comparison, PackFigures, PairFigures
    from faceclust.training.report import DataSummary, TrainingReport

    def figures(pack: str, f: float, accuracy: float) -> PackFigures:
        interval = ConfidenceInterval(f, f - 0.02, f + 0.02)
        rates = AllPairsScores(80, 20, 300, 2860, (TarAtFar(0.01, 28, 0.9, f, f), TarAtFar(1e-4)))
        pairs = PairFigures("held-out people", 60, 60, accuracy, 0.02, f, 0.03)
        return PackFigures(pack, 1.2, "measured", 3, interval, interval, interval, rates, pairs, ())

    return TrainingReport(
        name="mine",
        folder=Path("/data/training/mine"),
        options=TrainingOptions(),
        data=DataSummary("folder", "0" * 64, 54, 812, 44, 150, {"no face": 3, "not readable": 1}),
        history=(EpochRecord(1, 23.1, 0.1, 0.1, 90.0), EpochRecord(2, 8.41, 0.01, 0.3, 98.3)),
        images=1624,
        calibration=Calibration(1.2, "measured", None, 20, 80, (9.0, 20.0)),
        comparison=Comparison(
            24,
            22,
            80,
            figures("mine", 0.7, 0.8),
            figures("mobilefacenet", 0.95, 0.99),
            ConfidenceInterval(-0.25, -0.3, -0.2),
        ),
    )


VERDICTS = {
    "worse": ({}, {}),
    "better": ({"difference": (0.031, 0.01, 0.05)}, {"installed": True}),
    "refused": ({"difference": (0.031, 0.01, 0.05)}, {"refusal": "copies of a face differ"}),
    "undecided": ({"difference": (-0.01, -0.04, 0.02)}, {}),
    "few people": ({"people": 12, "people_with_several": 9}, {}),
    "nothing measured": (None, {}),
    "guessed radius": ({}, {"calibration": "too few people: 3 with a face"}),
}
BY_HAND = [
    "mine was not added; its files: /data/training/mine",
    "to add it all the same: faceclust models add /data/training/mine/mine.toml",
]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("worse", ["mine is worse than mobilefacenet: BCubed F -.250 (-.300 to -.200)", *BY_HAND]),
        (
            "better",
            ["mine is better than mobilefacenet: BCubed F +.031 (+.010 to +.050)", "next: faceclust models use mine"],
        ),
        (
            "refused",
            [
                "mine is better than mobilefacenet: BCubed F +.031 (+.010 to +.050)",
                "mine was not added: copies of a face differ; its files: /data/training/mine",
            ],
        ),
        ("undecided", ["not distinguishable from mobilefacenet: BCubed F differs by -.010 (-.040 to +.020)", *BY_HAND]),
        ("few people", ["not distinguishable from mobilefacenet: too few people were held out to tell", *BY_HAND]),
        (
            "nothing measured",
            ["nothing was measured: no face was found on the photos of the held-out people", *BY_HAND],
        ),
        (
            "guessed radius",
            [
                "the radius is a guess: too few people: 3 with a face",
                "mine is worse than mobilefacenet: BCubed F -.250 (-.300 to -.200)",
                *BY_HAND,
            ],
        ),
    ],
)
def test_the_report_ends_with_the_verdict_and_the_next_command(
    case: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from faceclust.evaluation.library_score import ConfidenceInterval

    changed, report = VERDICTS[case][0], make_report()
    comparison = None
    if changed is not None:
        fields = {key: ConfidenceInterval(*value) if key == "difference" else value for key, value in changed.items()}
        comparison = replace(report.comparison, **fields)
    others = dict(VERDICTS[case][1])
    if "calibration" in others:
        others["calibration"] = replace(report.calibration, source="none", problem=others["calibration"])
    print_training(replace(report, comparison=comparison, **others), in_library=False)
    assert capsys.readouterr().out.splitlines()[-len(expected) :] == expected


def test_the_report_shows_data_training_and_the_figures_of_both_packs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record_runs(monkeypatch)
    done = run("train", tmp_path, "-o", "mine")
    assert done.returncode == 0 and done.stderr == ""
    assert [" ".join(line.split()) for line in done.stdout.splitlines()][:15] == [
        "trained on 812 faces of 54 people; 150 faces of 44 people held out",
        "left out: 3 no face, 1 not readable",
        "2 epochs, 1,624 images, 98 images/s; loss 23.1 → 8.41",
        "",
        "measured on 80 faces of 24 people held out; the others held out set the radius",
        "mine in use: mobilefacenet",
        "BCubed F at 1.1 (95 %) .700 (.680 to .720) .950 (.930 to .970)",
        "precision .700 (.680 to .720) .950 (.930 to .970)",
        "recall .700 (.680 to .720) .950 (.930 to .970)",
        "TAR at FAR 1e-2, all pairs 70.00 % 95.00 %",
        "TAR at FAR 1e-4, all pairs – –",
        "accuracy, held-out people 80.00 ± 2.00 % 99.00 ± 2.00 %",
        "VAL at FAR 1e-3, held-out people 70.00 ± 3.00 % 95.00 ± 3.00 %",
        "photos without a face 3 3",
        "–: too few pairs of two people",
    ]
    record = json.loads(run_checked("train", tmp_path, "-o", "mine", "--json"))
    assert record["comparison"]["verdict"] == "worse" and record["comparison"]["new"]["f"]["high"] == 0.72
    assert record["data"]["skipped"] == {"no face": 3, "not readable": 1} and record["images"] == 1624


@pytest.mark.parametrize(
    ("count", "in_library", "expected"),
    [
        (0, False, ["no face is unlike the others of its person"]),
        (1, False, ["1 face is unlike the others of its person", "mislabelled.csv"]),
        (7, True, ["7 faces are unlike", "mislabelled.csv", 'faceclust name PHOTO#2 "RIGHT NAME"', "faceclust reject"]),
    ],
)
def test_mislabelled_faces_are_counted_and_their_list_named(
    count: int, in_library: bool, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_training(replace(make_report(), mislabelled=count), in_library=in_library)
    text = capsys.readouterr().out.partition("models add")[2]
    assert all(words in text for words in expected)
    assert ("faceclust name" in text) == in_library


def test_a_stopped_run_names_the_command_that_continues_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record_runs(monkeypatch, interrupted=True, comparison=None, calibration=None)
    folder = tmp_path / "two words"
    folder.mkdir()
    for extra in ([], ["--resume"]):
        done = run("train", folder, "--epochs", "3", *extra)
        assert done.returncode == 130
        assert done.stderr == (
            f"stopped; the checkpoint is saved. To continue: faceclust train '{folder}' --epochs 3 --resume\n"
        )
        assert "2 epochs" in done.stdout and "models add" not in done.stdout


@pytest.mark.parametrize("rank", ["0", "1"])
def test_of_several_processes_only_the_first_one_prints(
    rank: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs = record_runs(monkeypatch, interrupted=True)
    env = {"TORCHELASTIC_RUN_ID": "x", "RANK": rank, "LOCAL_WORLD_SIZE": "2"}
    done, mistake = run("train", tmp_path, env=env), run("train", tmp_path, "--set", "x", env=env)
    assert len(runs) == 1 and done.returncode == 130 and mistake.returncode == 2
    assert bool(done.stdout) == bool(mistake.stderr) == (rank == "0")
    to_resume = f"torchrun --nproc-per-node 2 -m faceclust train {tmp_path} --resume"
    assert done.stderr == (f"stopped; the checkpoint is saved. To continue: {to_resume}\n" if rank == "0" else "")


def test_memory_that_runs_out_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from faceclust.errors import FaceclustError
    from faceclust.training.memory import explain_out_of_memory

    for error in (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), _cpu_error()):
        with (
            pytest.raises(FaceclustError, match="cuda has not enough memory for batches of 128 images") as raised,
            explain_out_of_memory("cuda", 128),
        ):
            raise error
        assert raised.value.hint == "try --batch 64, --amp or a smaller backbone"
    with pytest.raises(RuntimeError, match="shapes"), explain_out_of_memory("cpu", 128):
        raise RuntimeError("shapes do not match")


def _cpu_error() -> RuntimeError:
    """The error of torch itself, if more is asked for than any machine has."""
    import torch

    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as error:
        return error
    raise AssertionError("an exbibyte was allocated")


def test_progress_shows_figures_after_their_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_INTERVAL", 0.0)
    shown = progress.TerminalProgress()
    shown.start("training", 10, "faces")
    shown.advance(4, loss="3.21", TAR="41.2 % at FAR 1e-3", skipped=2, none=0)
    line = capsys.readouterr().err
    assert line.startswith("training: 4 of 10, loss 3.21, TAR 41.2 % at FAR 1e-3, 2 skipped, ") and "none" not in line


# -- whole runs ---------------------------------------------------------------


def write_drawn_records(folder: Path, people: int = 50, photos: int = 2) -> Path:
    """Write drawn people as RecordIO, which needs no detector."""
    from tests.support.drawn_people import draw_photos
    from tests.support.photo_files import encode_image
    from tests.support.recordio_files import write_records

    return write_records(
        folder,
        (
            (person, encode_image(Image.fromarray(chip), "PNG"))
            for person in range(people)
            for chip in draw_photos(person, photos, (112, 112))
        ),
    )


SMALL = ["--batch", "10", "--set", "backbone.size=32x32", "--set", "backbone.width=0.25"]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_ctrl_c_saves_a_checkpoint_and_resume_continues_from_it(tmp_path: Path) -> None:
    words = ["train", str(write_drawn_records(tmp_path / "rec")), "-o", "mine", "--epochs", "5000", *SMALL, "--json"]
    checkpoint = data_folder() / "training" / "mine" / "checkpoint.pt"
    epochs = []
    for extra in ([], ["--resume"]):
        saved = checkpoint.stat().st_mtime_ns if extra else 0
        child = subprocess.Popen([*COMMAND, *words, *extra], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda saved=saved: checkpoint.exists() and checkpoint.stat().st_mtime_ns > saved)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=60)
        assert child.returncode == 130
        assert "stopping after this step; press Ctrl-C again to abort\n" in errors
        assert f"To continue: faceclust {shlex.join(words)} --resume\n" in errors
        record = json.loads(out)
        assert record["interrupted"] and record["comparison"] is None
        epochs.append([one["epoch"] for one in record["history"]])
    assert epochs[1][: len(epochs[0])] == epochs[0] and len(epochs[1]) > len(epochs[0])


def test_too_few_confirmed_people_are_refused(library: Library) -> None:
    library.name(library.faces_in_group(1), "Anna")
    done = run("train", "--confirmed", "-l", library.root)
    assert done.returncode == 2 and done.stdout == ""
    first, error, hint = done.stderr.splitlines()
    assert first == f"library: {library.root}" and hint.endswith("see faceclust help training")
    assert error.startswith("error: too few people to train on and to measure with: 1 person, 1 with several faces")
