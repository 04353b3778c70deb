"""The note that a pack's terms were accepted counts only if it is a file of the user's own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from faceclust.files.names import DEFAULT_PACK
from faceclust.installer.licence_terms import has_accepted_terms, record_agreement
from faceclust.installer.staging import lock_pack
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack, user_models_folder
from faceclust.packs.toml_table import AGREEMENT_FILE_NAME


@pytest.fixture
def pack() -> Pack:
    """A pack in the user's folder whose terms have to be accepted."""
    return replace(load_pack(DEFAULT_PACK), folder=user_models_folder() / "mine", commercial=False)


def test_an_accepted_pack_is_not_asked_about_again(pack: Pack) -> None:
    assert not has_accepted_terms(pack)
    record_agreement(pack)
    assert has_accepted_terms(pack)
    assert not has_accepted_terms(replace(pack, terms="others"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("kind", ["symlink", "pipe", "folder", "large", "damaged"])
def test_anything_else_counts_as_not_accepted(pack: Pack, tmp_path: Path, kind: str) -> None:
    record_agreement(pack)
    note = pack.folder / AGREEMENT_FILE_NAME
    content = note.read_bytes()
    note.unlink()
    match kind:
        case "symlink":
            (tmp_path / "note").write_bytes(content)
            note.symlink_to(tmp_path / "note")
        case "pipe":
            os.mkfifo(note)
        case "folder":
            note.mkdir()
        case "large":
            note.write_bytes(content * 100_000)
        case _:
            note.write_bytes(b"\xff\x00")
    assert not has_accepted_terms(pack)


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_the_folder_of_packs_may_be_a_link_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    folder = user_models_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(tmp_path / "disk")
    with lock_pack("mine"):
        assert (tmp_path / "disk/.mine.lock").exists()
