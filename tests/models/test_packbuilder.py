"""Build the embedded pack reproducibly from pinned sources."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from faceclust.files.names import EMBEDDED_PACKS

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.usefixtures("_builder_on_path")
def test_builds_are_reproducible_and_match_the_manifest(tmp_path: Path) -> None:
    from packbuilder import build_packs

    manifests = [tomllib.loads((MODELS / f"{pack}.toml").read_text()) for pack in EMBEDDED_PACKS]
    expected = {file["name"]: file for manifest in manifests for file in manifest["file"] if "sources" in file}
    npm_file = "mobilefacenet.onnx"  # from the installation: its source is a package of 145 MB
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        shutil.copy(MODELS / npm_file, tmp_path / folder)
        paths = build_packs(MODELS, tmp_path / folder)
        assert {path.name for path in paths} == expected.keys()
        for path in paths:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == expected[path.name]["sha256"]
            assert path.stat().st_size == expected[path.name]["size"]


@pytest.mark.usefixtures("_builder_on_path")
def test_a_source_with_another_hash_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("*.onnx"))
    manifest = tmp_path / "models" / "dlib.toml"
    source_hash = tomllib.loads(manifest.read_text())["file"][0]["sources"][0]["sha256"]
    manifest.write_text(manifest.read_text().replace(source_hash, "0" * 64))
    from hatch_build import PackBuildHook

    hook: Any = PackBuildHook.__new__(PackBuildHook)
    hook._BuildHookInterface__root = str(tmp_path)
    hook._BuildHookInterface__target_name = "wheel"
    with pytest.raises(SystemExit) as failure:
        hook.initialize("standard", {"force_include": {}})
    message = str(failure.value)
    assert source_hash in message and "0" * 64 in message and "dlib_face_recognition_resnet" in message
    assert not (tmp_path / "models" / "dlib_resnet.onnx").exists()


@pytest.mark.usefixtures("_builder_on_path")
def test_a_missing_build_requirement_is_named() -> None:
    from packbuilder.sources import PackBuildError, read_source

    with pytest.raises(PackBuildError, match="no-such-package"):
        read_source("no-such-package", "weights.bin", "0" * 64)


@pytest.mark.usefixtures("_builder_on_path")
def test_a_truncated_dlib_file_is_refused() -> None:
    from packbuilder import dlib_resnet
    from packbuilder.sources import PackBuildError, read_sources

    (data,) = read_sources(tomllib.loads((MODELS / "dlib.toml").read_text())["file"][0]["sources"])
    with pytest.raises(PackBuildError):
        dlib_resnet.convert(data[: len(data) // 2])


@pytest.mark.usefixtures("_builder_on_path")
def test_every_convolution_is_quantised_with_measured_ranges() -> None:
    from packbuilder import build_float_embedder
    from packbuilder.quantise import quantise, tensors_to_measure

    model = onnx.load_from_string(build_float_embedder())
    ranges = json.loads((MODELS / "packbuilder" / "dlib_ranges.json").read_text())
    assert set(tensors_to_measure(model)) == ranges.keys()
    quantised = onnx.load_from_string(quantise(build_float_embedder(), ranges))
    convolutions = [node for node in quantised.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 29 and all(name.endswith("_rounded") for node in convolutions for name in node.input)
    del ranges["relu_3"]
    with pytest.raises(KeyError, match="relu_3"):
        quantise(build_float_embedder(), ranges)


@pytest.mark.usefixtures("_builder_on_path")
def test_prelu_of_any_slope_is_right_up_to_the_returned_sign() -> None:
    from packbuilder.graph import Graph

    slopes = np.array([-1.3, 0, 0.25, 1, 1.3], np.float32)
    graph = Graph("prelu")
    name, signs = graph.signed_prelu("input", slopes.reshape(-1, 1, 1))
    graph.node("Identity", name, out="output")
    shape: list[int | str] = ["n", 5, 1, 7]
    session = onnxruntime.InferenceSession(graph.serialise({"input": shape}, {"output": shape}))
    x = np.linspace(-3, 3, 35, dtype=np.float32).reshape(1, 5, 1, 7)
    (found,) = session.run(None, {"input": x})
    np.testing.assert_allclose(
        found * signs.reshape(-1, 1, 1), np.where(x > 0, x, slopes.reshape(-1, 1, 1) * x), rtol=0, atol=1e-6
    )


@pytest.mark.usefixtures("_builder_on_path")
def test_a_layer_of_low_rank_keeps_lengths_and_angles_in_fewer_dimensions() -> None:
    from packbuilder.mobilefacenet import keep_dimensions

    rng = np.random.default_rng(0)
    span = rng.normal(size=(20, 6))
    filters, bias = (span @ rng.normal(size=(6, 30)))[:, :, None, None], span @ rng.normal(size=6)
    kept_filters, kept_bias = keep_dimensions(filters, bias, 6)
    inputs = rng.normal(size=(30, 5))
    before = filters[:, :, 0, 0] @ inputs + bias[:, None]
    after = kept_filters[:, :, 0, 0] @ inputs + kept_bias[:, None]
    assert after.shape == (6, 5)
    np.testing.assert_allclose(after.T @ after, before.T @ before)
