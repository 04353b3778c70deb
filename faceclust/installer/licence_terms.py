"""What a pack's licence asks of those who use it, and that they agreed: they are asked once."""

from __future__ import annotations

import contextlib

from faceclust.errors import PackError
from faceclust.packs.pack import Pack
from faceclust.packs.toml_table import AGREEMENT_FILE_NAME


def has_accepted_terms(pack: Pack) -> bool:
    """Whether nothing has to be asked: nobody says that the pack is not free for every use, or its
    terms, as they are now, were agreed to."""
    if pack.commercial is not False:
        return True
    with contextlib.suppress(OSError, ValueError):
        return (pack.folder / AGREEMENT_FILE_NAME).read_text(encoding="utf-8") == _agreement_text(pack)
    return False


def record_agreement(pack: Pack) -> None:
    """Keep, in the pack's folder, which terms were agreed to. Raises PackError."""
    file = pack.folder / AGREEMENT_FILE_NAME
    try:
        pack.folder.mkdir(parents=True, exist_ok=True)
        file.write_text(_agreement_text(pack), encoding="utf-8")
    except OSError as error:
        raise PackError(f"{file} cannot be written: {error.strerror or error}", hint="may you write there?") from error


def _agreement_text(pack: Pack) -> str:
    return f"{pack.licence}\n{pack.terms}\n"
