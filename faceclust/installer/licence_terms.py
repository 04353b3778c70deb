"""Record that the user has accepted a pack's licence terms, so that they are asked only once."""

from __future__ import annotations

import contextlib

from faceclust.files.output_files import write_own_atomically
from faceclust.files.own_files import read_own
from faceclust.installer.staging import translate_write_errors
from faceclust.packs.pack import Pack
from faceclust.packs.toml_table import AGREEMENT_FILE_NAME

_MAX_SIZE = 1_000_000  # bytes


def has_accepted_terms(pack: Pack) -> bool:
    """Is there no need to ask? True if the pack is not restricted to non-commercial use, or if the
    user has accepted its current terms."""
    if pack.commercial is not False:
        return True
    with contextlib.suppress(OSError):
        return read_own(pack.folder / AGREEMENT_FILE_NAME, _MAX_SIZE) == _agreement_text(pack).encode()
    return False


def record_agreement(pack: Pack) -> None:
    """Record in the pack's folder that its current terms were accepted. Raises PackError."""
    file = pack.folder / AGREEMENT_FILE_NAME
    with translate_write_errors(file):
        pack.folder.mkdir(parents=True, exist_ok=True)
        write_own_atomically(file, _agreement_text(pack).encode())


def _agreement_text(pack: Pack) -> str:
    return f"{pack.licence}\n{pack.terms}\n"
