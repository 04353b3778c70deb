"""Loading packs, verifying their files, and fingerprints."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from faceclust.errors import PackError
from faceclust.files.names import DEFAULT_PACK, EMBEDDED_PACKS
from faceclust.packs.manifest import read_manifest
from faceclust.packs.registry import load_pack
from faceclust.packs.verify import check_files, pack_state, require_files


def test_an_unknown_pack_lists_the_known_ones() -> None:
    with pytest.raises(PackError) as failure:
        load_pack("dilb")
    assert "dlib" in str(failure.value.hint)


@pytest.mark.parametrize("name", EMBEDDED_PACKS)
def test_the_embedded_packs_are_complete(name: str) -> None:
    assert {check.state for check in check_files(load_pack(name))} == {"ok"}


def test_damaged_and_missing_files_are_found(tmp_path: Path) -> None:
    pack = load_pack(DEFAULT_PACK)
    for file in pack.files[1:]:
        shutil.copy(pack.path(file.name), tmp_path)
    (tmp_path / pack.files[1].name).write_bytes(b"not an onnx file")
    moved = dataclasses.replace(pack, folder=tmp_path)
    assert [check.state for check in check_files(moved)] == ["missing", "damaged", "ok", "ok"]
    with pytest.raises(PackError, match="missing"):
        require_files(moved)
    shutil.copy(pack.path(pack.files[1].name), tmp_path)
    assert pack_state(moved, check_files(moved)) == "missing"  # as in a build without it


@pytest.mark.parametrize(
    ("old", "new"), [("schema = 1", "schema = 99"), ("[detector]", "[detektor]"), ("radius = 3.15", "radius =")]
)
def test_an_unusable_manifest_names_the_file(tmp_path: Path, old: str, new: str) -> None:
    text = (load_pack("dlib").folder / "dlib.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(PackError, match=r"mine\.toml"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("dlib", "c1ee39593bba45a9ced4fcbfc21399ff7a9561d1dca62a03798b34cb7221a723"),
        ("sface", "f31600d07f832572ef3e87c13117457c157daab5cb8369a63e0affd6d4b1433d"),
    ],
)
def test_fingerprints_stay_as_released(name: str, digest: str) -> None:
    """A renamed field of DetectorSpec or EmbedderSpec, or another build of a borrowed file, would have
    every user's library rescanned."""
    assert hashlib.sha256(load_pack(name).fingerprint.encode()).hexdigest() == digest


def test_the_fingerprint_changes_only_with_the_embeddings() -> None:
    pack = load_pack(DEFAULT_PACK)
    other = dataclasses.replace(pack, embedder=dataclasses.replace(pack.embedder, mirror=False))
    assert pack.fingerprint != other.fingerprint
    assert pack.fingerprint == dataclasses.replace(pack, title="another title").fingerprint
