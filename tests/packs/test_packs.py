"""Loading packs, verifying their files, and fingerprints."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from faceclust.errors import PackError
from faceclust.packs.manifest import read_manifest
from faceclust.packs.registry import load_pack
from faceclust.packs.verify import check_files, require_files


def test_an_unknown_pack_lists_the_known_ones() -> None:
    with pytest.raises(PackError) as failure:
        load_pack("dilb")
    assert "dlib" in str(failure.value.hint)


def test_the_embedded_pack_is_complete() -> None:
    assert [check.state for check in check_files(load_pack("dlib"))] == ["ok"] * 4


def test_damaged_and_missing_files_are_found(tmp_path: Path) -> None:
    pack = load_pack("dlib")
    for file in pack.files[1:]:
        shutil.copy(pack.path(file.name), tmp_path)
    (tmp_path / pack.files[1].name).write_bytes(b"not an onnx file")
    moved = dataclasses.replace(pack, folder=tmp_path)
    assert [check.state for check in check_files(moved)] == ["missing", "damaged", "ok", "ok"]
    with pytest.raises(PackError, match="missing"):
        require_files(moved)


@pytest.mark.parametrize(
    ("old", "new"), [("schema = 1", "schema = 99"), ("[detector]", "[detektor]"), ("radius = 3.15", "radius =")]
)
def test_an_unusable_manifest_names_the_file(tmp_path: Path, old: str, new: str) -> None:
    text = (load_pack("dlib").folder / "dlib.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(PackError, match=r"mine\.toml"):
        read_manifest(path)


@pytest.mark.parametrize(("name", "digest"), [("dlib", "7f35ba7e79731f03"), ("sface", "f14fddc6f3961536")])
def test_fingerprints_stay_as_released(name: str, digest: str) -> None:
    """A renamed field of DetectorSpec or EmbedderSpec changes the digest, and every user's library
    would be rescanned."""
    pack = load_pack(name)
    files = [f"{file.name}={file.sha256}" for file in pack.files]
    assert pack.fingerprint == " ".join([name, *files, f"settings={digest}"])


def test_the_fingerprint_changes_only_with_the_embeddings() -> None:
    pack = load_pack("dlib")
    other = dataclasses.replace(pack, embedder=dataclasses.replace(pack.embedder, mirror=False))
    assert pack.fingerprint != other.fingerprint
    assert pack.fingerprint == dataclasses.replace(pack, title="another title").fingerprint
