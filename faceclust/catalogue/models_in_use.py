"""The models in use, loaded: for a library, or outside of all."""

from __future__ import annotations

from pathlib import Path

from faceclust.errors import PackError
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.store.settings import pack_in_use


def load_pack_in_use(root: Path | None, name: str | None = None) -> Pack:
    """The pack called `named`, else the one in use for the library at `root` (None: outside of
    libraries). Its files need not be there. Raises PackError, naming the file that asks for it,
    where there is no such pack, UsageError for a configuration file that cannot be read."""
    if name is not None:
        return load_pack(name)
    chosen = pack_in_use(root)
    try:
        return load_pack(chosen.value)
    except PackError as error:
        if chosen.file is None:
            raise
        raise PackError(
            f"{chosen.file}: pack = {chosen.value!r}: {error}",
            hint=f"faceclust models use NAME chooses others; {error.hint}" if error.hint else None,
        ) from error
