"""`faceclust train`: options, the list of heads and backbones, errors, the report and interruptions."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceclust.cli import train as train_command
from faceclust.cli.output.training import print_training
from faceclust.cli.output.training_parts import _format_setting
from faceclust.cli.train import _parse_setting
from faceclust.errors import UsageError
from faceclust.training.options import TrainingOptions
from faceclust.training.parts import BACKBONES, HEADS
from tests.support.command import run, run_checked

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
        (["{folder}", "--set", "head.scale=-3"], "scale must be above 0, not -3", "--list"),
        (["{folder}", "--set", "head.scale=inf"], "--set head.scale must be a finite number, not inf", ""),
        (["{folder}", "--set", "backbone.width=-1"], "backbone mobilefacenet: width must be", "--list"),
        (["{folder}", "-o", "../mine"], "'../mine'", ""),
    ],
)
def test_invalid_input_is_one_line_with_a_hint(
    tmp_path: Path, arguments: list[str], message: str, hint: str
) -> None:
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


@pytest.mark.parametrize("text", ["head.scale", "head.=1", "head.scale=", "tail.scale=1", "head.Scale=1", "scale=1", ""])
def test_other_settings_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be head.NAME=VALUE"):
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
            assert _parse_setting(f"head.{name}={_format_setting(value)}")[2] == value
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
