"""Group the faces of a photo library by person, on your own machine.

    import faceclust

    library = faceclust.Library("~/Pictures")
    library.scan()
    library.cluster(threshold=1.1)
    faces = {person.name: len(person.face_ids) for person in library.people()}

    faceclust.verify("a.jpg", "b.jpg").same   # are two faces the same person?

Importing the package loads nothing heavy: each name is imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceclust.version import __version__

__all__ = ["FaceclustError", "Library", "__version__", "verify"]

if TYPE_CHECKING:
    from faceclust.errors import FaceclustError
    from faceclust.library.identification import verify
    from faceclust.library.library import Library


def __getattr__(name: str) -> object:
    if name == "Library":
        from faceclust.library.library import Library

        return Library
    if name == "FaceclustError":
        from faceclust.errors import FaceclustError

        return FaceclustError
    if name == "verify":
        from faceclust.library.identification import verify

        return verify
    raise AttributeError(f"module 'faceclust' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
