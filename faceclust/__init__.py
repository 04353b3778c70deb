"""Group the faces of a photo library by person, on your own machine.

    import faceclust

    library = faceclust.Library("~/Pictures")
    library.scan()
    library.cluster(threshold=1.1)
    faces = {person.name: len(person.face_ids) for person in library.people()}

    faceclust.FaceAnalyser().faces("photo.jpg")   # boxes, landmarks, embeddings
    faceclust.group(embeddings)                   # which of them are the same person?
    faceclust.verify("a.jpg", "b.jpg").same       # are two faces the same person?

Importing the package loads nothing heavy: each name is imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from faceclust.version import __version__

__all__ = ["DaskOptions", "Face", "FaceAnalyser", "FaceclustError", "Library", "__version__", "group", "verify"]

if TYPE_CHECKING:
    from faceclust.engines.dask.address import DaskOptions
    from faceclust.errors import FaceclustError
    from faceclust.library.embedding_groups import group
    from faceclust.library.face_analyser import FaceAnalyser
    from faceclust.library.identification import verify
    from faceclust.library.library import Library
    from faceclust.types import Face

#: The module of each public name.
_MODULES = {
    "DaskOptions": "faceclust.engines.dask.address",
    "Face": "faceclust.types",
    "FaceAnalyser": "faceclust.library.face_analyser",
    "FaceclustError": "faceclust.errors",
    "Library": "faceclust.library.library",
    "group": "faceclust.library.embedding_groups",
    "verify": "faceclust.library.identification",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'faceclust' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
