"""Values that cross a boundary between two stages: NumPy arrays and frozen dataclasses, checked when made."""

from faceclust.types.arrays import Float32, Float64, Indices, UInt8, check_array
from faceclust.types.boxes import (
    BOX_DECIMALS,
    MIN_DRAWN_SIZE,
    SAME_FACE_OVERLAP,
    WHOLE_PHOTO,
    Box,
    intersection_over_union,
    paired_intersection_over_union,
)
from faceclust.types.clustering import (
    LOCAL_SCALING,
    MAX_LOCAL_SCALING,
    OPERATING_POINT,
    SCATTER_SHARE,
    Clustering,
    ClusterParams,
    scale_crowding,
)
from faceclust.types.faces import Face, FaceTable
from faceclust.types.frames import FaceFrame
from faceclust.types.people import DrawnFace, FaceOccurrence, LibraryFace, Person, PhotoInfo
from faceclust.types.person_facts import NO_FACTS, PartialDate, PersonFacts
from faceclust.types.photos import (
    DATE_SOURCES,
    EXTRA_MODULE_BY_REASON,
    TRANSIENT_REASONS,
    Detections,
    Metadata,
    Photo,
    PhotoRef,
    ScannedPhoto,
    SkippedPhoto,
    SkipReason,
    join_detections,
)

__all__ = [
    "BOX_DECIMALS",
    "DATE_SOURCES",
    "EXTRA_MODULE_BY_REASON",
    "LOCAL_SCALING",
    "MAX_LOCAL_SCALING",
    "MIN_DRAWN_SIZE",
    "NO_FACTS",
    "OPERATING_POINT",
    "SAME_FACE_OVERLAP",
    "SCATTER_SHARE",
    "TRANSIENT_REASONS",
    "WHOLE_PHOTO",
    "Box",
    "ClusterParams",
    "Clustering",
    "Detections",
    "DrawnFace",
    "Face",
    "FaceFrame",
    "FaceOccurrence",
    "FaceTable",
    "Float32",
    "Float64",
    "Indices",
    "LibraryFace",
    "Metadata",
    "PartialDate",
    "Person",
    "PersonFacts",
    "Photo",
    "PhotoInfo",
    "PhotoRef",
    "ScannedPhoto",
    "SkipReason",
    "SkippedPhoto",
    "UInt8",
    "check_array",
    "intersection_over_union",
    "join_detections",
    "paired_intersection_over_union",
    "scale_crowding",
]
