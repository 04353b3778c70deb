"""The public types, as a typed script uses them. mypy checks this file with the package; nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import faceclust
from faceclust import Face, FaceAnalyser, FaceclustError, Library

array: NDArray[np.uint8] = np.zeros((200, 200, 3), np.uint8)
image = Image.fromarray(array)

analyser = FaceAnalyser()
assert_type(analyser.faces("photo.jpg"), list[Face])
assert_type(analyser.faces(Path("photo.jpg")), list[Face])
assert_type(analyser.faces(array), list[Face])
assert_type(analyser.faces(image), list[Face])
assert_type(analyser.faces([array, array]), list[list[Face]])
assert_type(analyser.faces(("a.jpg", "b.jpg")), list[list[Face]])
assert_type(analyser.faces(Path("photos").glob("*.jpg")), list[list[Face]])
(face, *_) = analyser.faces(array)
assert_type(face.box, tuple[float, float, float, float])
assert_type(face.embedding, NDArray[np.float32])
assert_type(face.chip, NDArray[np.uint8])

assert_type(faceclust.group([face.embedding], photos=["a.jpg"]), NDArray[np.int32])
assert_type(faceclust.group(np.zeros((2, 3)), 1.2, radius=1), NDArray[np.int32])
assert_type(faceclust.verify("a.jpg", array).same, bool)
assert_type(faceclust.verify(image, Path("b.jpg")).distance, float)

library = Library("~/Pictures")
try:
    library.scan("2019")
    library.name([1, "4f1c0a9be2d85c11"], "Anna")
    library.confirm(12)
    library.merge(12, "Anna")
    assert_type(library.report("people.html"), Path)
    assert_type(library.map("faces.html"), Path)
    assert_type([photo.photo for photo in library.search("Anna", 3, without="Ben")], list[str])
except FaceclustError as error:
    assert_type(error.hint, str | None)
