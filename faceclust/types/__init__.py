"""The values that cross a boundary between two stages. Numpy only; checked when made."""

from faceclust.types.arrays import Float32, UInt8, check_array
from faceclust.types.faces import Clustering, ClusterParams, FaceTable
from faceclust.types.people import FaceOccurrence, Person, PhotoInfo
from faceclust.types.photos import (
    EXTRA_MODULE_BY_REASON,
    TRANSIENT_REASONS,
    Detections,
    Metadata,
    Photo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
)

__all__ = [
    "EXTRA_MODULE_BY_REASON",
    "TRANSIENT_REASONS",
    "ClusterParams",
    "Clustering",
    "Detections",
    "FaceOccurrence",
    "FaceTable",
    "Float32",
    "Metadata",
    "Person",
    "Photo",
    "PhotoInfo",
    "PhotoRef",
    "ScannedPhoto",
    "SkipReason",
    "SkippedPhoto",
    "UInt8",
    "check_array",
]
