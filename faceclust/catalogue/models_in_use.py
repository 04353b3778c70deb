"""The model pack that a library uses, or the one in use outside any library."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from faceclust.errors import NewerCacheError, PackError, UsageError
from faceclust.files.names import pack_of_cache_file
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.store.folder_cache import UnusableCacheError, read_cache_info
from faceclust.store.home import LibraryHome
from faceclust.store.schema import CacheInfo
from faceclust.store.settings import pack_in_use, precision_in_use


def load_pack_in_use(root: Path | None, name: str | None = None) -> Pack:
    """Load the pack `name`, or else the one configured for the library at `root`.

    For `root` None, the pack used outside libraries. The pack's model files may be missing. Raises
    PackError if the pack is unknown, naming the configuration file that asks for it, and UsageError
    if a configuration file cannot be read.
    """
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
            hint=f"faceclust models use NAME chooses another pack; {error.hint}" if error.hint else None,
        ) from error


class ModelsInUse:
    """The pack of one library. It is loaded at the first access and then kept.

    `requested`: a pack, or its name, to use instead of the configured one.
    """

    def __init__(self, home: LibraryHome, requested: str | Pack | None) -> None:
        if not isinstance(requested, str | Pack | None):
            raise UsageError(f"pack must be the name of a model pack, not {requested!r}")
        self._home = home
        self._requested_name = requested if isinstance(requested, str) else None
        self._pack = requested if isinstance(requested, Pack) else None

    @property
    def pack(self) -> Pack:
        """The pack in use; its model files may be missing. Raises PackError if the pack is unknown."""
        if self._pack is None:
            self._pack = load_pack_in_use(self._home.root, self._requested_name)
        return self._pack

    @property
    def pack_name(self) -> str:
        """The name of the pack in use, known even if the pack itself is not."""
        if self._pack is not None:
            return self._pack.name
        return self._requested_name or pack_in_use(self._home.root).value

    @property
    def cache_info(self) -> CacheInfo:
        """The metadata of a cache written with this pack.

        If the pack is gone, the metadata of the caches it wrote. Raises PackError if there are none.
        """
        precision = precision_in_use(self._home.root).value
        try:
            pack = self.pack
        except PackError:
            if (info := self._cached_info) is None:
                raise
            return replace(info, precision=precision)
        return CacheInfo(pack.name, pack.fingerprint, pack.embedder.dimension, pack.embedder.radius, precision)

    @property
    def embedding_space(self) -> str:
        """The identity of the embedding space, as a clustering records it."""
        try:
            return self.pack.space
        except PackError:
            info = self.cache_info
            return f"{info.fingerprint} radius={info.radius:g}"

    @property
    def space_digest(self) -> str:
        """16 hex digits that identify the embedding space, as a calibration records it."""
        return hashlib.blake2b(self.embedding_space.encode(), digest_size=8).hexdigest()

    @cached_property
    def _cached_info(self) -> CacheInfo | None:
        for path, _ in self._home.cache_files():
            if pack_of_cache_file(path.name) == self.pack_name:
                with contextlib.suppress(UnusableCacheError, NewerCacheError):
                    return read_cache_info(path)
        return None
