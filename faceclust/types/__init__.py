"""The values that cross a boundary between two stages. Numpy only; checked when made."""

from faceclust.types.arrays import Float32, UInt8, check_array
from faceclust.types.faces import Clustering, ClusterParams, FaceTable
from faceclust.types.people import FacePlace, Person, PhotoFacts
from faceclust.types.photos import (
    EXTRAS,
    PASSING_REASONS,
    Detections,
    Metadata,
    Photo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
)

__all__ = [
    "EXTRAS",
    "PASSING_REASONS",
    "ClusterParams",
    "Clustering",
    "Detections",
    "FacePlace",
    "FaceTable",
    "Float32",
    "Metadata",
    "Person",
    "Photo",
    "PhotoFacts",
    "PhotoRef",
    "ScannedPhoto",
    "SkipReason",
    "SkippedPhoto",
    "UInt8",
    "check_array",
]
