"""The record of training in a manifest: written, read back, and checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from faceclust.cli.models.pack_text import describe_pack
from faceclust.cli.models.show import _pack_record
from faceclust.errors import PackError
from faceclust.installer.manifest_text import with_file_hashes, with_radius
from faceclust.packs.manifest import parse_manifest, read_manifest
from faceclust.packs.registry import load_pack
from tests.support.pack_builders import TRAINING_TABLE, build_manifest, install_manifest
from tests.support.training_records import CALIBRATION, RECORD, write_trained_manifest

GOOD = build_manifest() + TRAINING_TABLE


def test_a_record_is_read() -> None:
    pack = parse_manifest(GOOD, Path("/nowhere"))
    assert pack.training is not None and pack.training.measured is not None
    assert (pack.training.people, pack.training.digest, pack.training.seed) == (210, "ab" * 32, 7)
    assert pack.training.head_settings == {"scale": 32.0, "adaptive": True, "depth": 3}
    assert pack.training.measured.bcubed_f == (0.91, 0.88, 0.93)
    assert pack.training.measured.accuracy == (0.9512, 0.004) and pack.training.measured.val is None
    assert pack.training.measured.tar == ((0.01, 0.52), (0.001, 0.2))
    plain = parse_manifest(build_manifest(), Path("/nowhere"))
    assert plain.training is None and plain.fingerprint == pack.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('digest = "ab', 'digest = "xy', "64 lowercase hex digits"),
        ('origin = "folder"', 'origin = "the web"', "one of folder, recordio, library"),
        ("people = 210", "people = -1", "a whole number from 0"),
        ("people = 210", "people = 2.5", "a whole number from 0"),
        ("faces = 4031", "faces = 99999999999999999", "a whole number from 0"),
        ('backbone = "mobilefacenet"', 'backbone = "a\\u001b[2J"', "one line"),
        ('backbone = "mobilefacenet"', 'backbone = "Net 1"', "a name of a-z"),
        ('head = "mv-softmax"', 'head = ["x"]', "one line"),
        ("head_settings = {", "head_settings = 3 #", "is not a table"),
        ("scale = 32.0", "scale = nan", "must be a number, a flag or a text"),
        ("scale = 32.0", "scale = {}", "must be a number, a flag or a text"),
        ("scale = 32.0", "scale = [1]", "must be a number, a flag or a text"),
        ("scale = 32.0", 'scale = "\\u0007"', "must be a number, a flag or a text"),
        ("scale = 32.0", f'scale = "{"x" * 101}"', "must be a number, a flag or a text"),
        ("scale = 32.0", '"\\u001b" = 1', "must be a number, a flag or a text"),
        ("scale = 32.0", ", ".join(f"s{i} = 1" for i in range(40)), "has more than 32 settings"),
        ("epochs = 20", 'epochs = "all"', "a whole number"),
        ("learning_rate = 0.1", "learning_rate = inf", "a number from 0"),
        ('precision = "float32"', 'precision = "int8"', "one of float32"),
        ('version = "1.0"', "version = 1", "one line"),
        ("seed = 7", "seed = 7\nsecret = 1", "[training] has unknown keys: 'secret'"),
        ("seed = 7\n", "", "has no 'seed'"),
        ("[training]\n", "[[training]]\n", "is not a table"),
        ("[training.measured]\npeople = 20", "[training.measured]\npeople = []", "a whole number"),
        ("bcubed_f = [0.91, 0.88, 0.93]", "bcubed_f = [0.91, 0.88]", "a list of 3 numbers"),
        ("bcubed_f = [0.91, 0.88, 0.93]", "bcubed_f = [0.91, 0.88, 1.93]", "3 numbers from 0 to 1"),
        ("difference = [-0.04, -0.06, -0.01]", "difference = [-0.04, -inf, -0.01]", "a list of 3 numbers"),
        ("difference = [-0.04, -0.06, -0.01]", "difference = [-0.04, -2, -0.01]", "3 numbers from -1 to 1"),
        ('baseline = "mobilefacenet"', 'baseline = "../x"', "a name of a-z"),
        ("accuracy = [0.9512, 0.004]", "accuracy = 0.95", "a list of 2 numbers"),
        ("tar = [[0.01, 0.52], [0.001, 0.2]]", "tar = [0.01, 0.52]", "a list of at most 10 pairs"),
        ("tar = [[0.01, 0.52], [0.001, 0.2]]", "tar = [[0.01, nan]]", "a list of at most 10 pairs"),
        ("tar = [[0.01, 0.52], [0.001, 0.2]]", "tar = [[0.01, 1.5]]", "a list of at most 10 pairs"),
        ("tar = [[0.01, 0.52], [0.001, 0.2]]", f"tar = [{'[0.1, 0.1], ' * 11}]", "a list of at most 10 pairs"),
        ("tar = [[0.01, 0.52], [0.001, 0.2]]", "tar = []\nrank = 1", "[training.measured] has unknown keys"),
    ],
)
def test_faults_are_reported(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in TRAINING_TABLE
    path = tmp_path / "pack.toml"
    path.write_text(build_manifest() + TRAINING_TABLE.replace(old, new, 1))
    with pytest.raises(PackError) as failure:
        read_manifest(path)
    assert words in str(failure.value) and str(failure.value).isprintable() and failure.value.hint


def test_a_written_manifest_is_read_back(tmp_path: Path) -> None:
    text = write_trained_manifest(licence="CC-BY-4.0")
    pack = parse_manifest(text, tmp_path)
    assert pack.training == RECORD and pack.name == "mine" and "faceclust train" in text.splitlines()[0]
    spec = pack.embedder
    assert (spec.file, spec.dimension, spec.chip_size, spec.layout) == ("embedder.onnx", 64, (96, 112), "nchw")
    assert (spec.colour, spec.mean, spec.scale, spec.mirror) == ("rgb", 127.5, 127.5, True)
    assert spec.template[:, 0].max() < 96 and spec.norm == CALIBRATION.norms
    assert (spec.radius, pack.radius_source) == (1.25, "measured")
    assert pack.licence == "CC-BY-4.0" and pack.commercial is True
    assert pack.detector == load_pack("mobilefacenet").detector and pack.title.startswith("Tiny trained with Plain")
    assert parse_manifest(with_file_hashes(text, {}, {}, "other"), tmp_path).training == RECORD
    assert parse_manifest(with_radius(text, 2.0), tmp_path).training == RECORD


@pytest.mark.parametrize(
    ("licence", "commercial"), [("not known", None), ("CC-BY-NC-4.0", False), ("MIT AND CC-BY-NC-4.0", False)]
)
def test_the_licence_of_the_data_decides_about_the_weights(
    licence: str, commercial: bool | None, tmp_path: Path
) -> None:
    pack = parse_manifest(write_trained_manifest(licence=licence), tmp_path)
    assert pack.licence == licence and pack.commercial is commercial
    assert pack.own_files[0].licence == licence


def test_without_a_measurement_the_radius_is_a_guess(tmp_path: Path) -> None:
    record = dataclasses.replace(RECORD, measured=None)
    pack = parse_manifest(write_trained_manifest(calibration=None, record=record), tmp_path)
    assert (pack.embedder.radius, pack.radius_source, pack.embedder.norm) == (1, "none", None)
    assert pack.training == record
    guess = dataclasses.replace(CALIBRATION, source="none", problem="too few people")
    assert parse_manifest(write_trained_manifest(calibration=guess), tmp_path).radius_source == "none"
    assert parse_manifest(write_trained_manifest(use_norm=False), tmp_path).embedder.norm is None


def test_the_record_is_shown() -> None:
    install_manifest(GOOD)
    lines = describe_pack(_pack_record(load_pack("mine")))
    text = "\n".join(lines)
    for words in (
        "trained:  mobilefacenet (width 0.5, size 64x64) with mv-softmax (scale 32, adaptive true, depth 3)",
        "20 epochs, batches of 128, learning rate 0.1, float32, seed 7, faceclust 1.0",
        "data:     4,031 faces of 210 people (folder), 40 held out",
        f"SHA-256 {'ab' * 32}",
        "measured: on 95 faces of 20 people held out",
        "BCubed F at 1.1: 0.910 (0.880 to 0.930)",
        "less that of mobilefacenet: -0.040 (-0.060 to -0.010)",
        "accuracy over ten folds of pairs: 95.12 ± 0.40 %",
        "TAR at FAR 1e-2, all pairs: 52.00 %",
    ):
        assert words in text, words
    assert "VAL" not in text
    assert _pack_record(load_pack("dlib"))["training"] is None
