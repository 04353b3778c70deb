"""Values that cross a boundary between two stages: NumPy arrays and frozen dataclasses, checked when made."""

from faceclust.types.arrays import Float32, Float64, Indices, UInt8, check_array
from faceclust.types.boxes import (
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
from faceclust.types.people import DrawnFace, FaceOccurrence, Person, PhotoInfo
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
    "DATE_SOURCES",
    "EXTRA_MODULE_BY_REASON",
    "LOCAL_SCALING",
    "MAX_LOCAL_SCALING",
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
    "FaceOccurrence",
    "FaceTable",
    "Float32",
    "Float64",
    "Indices",
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
    "intersection_over_union",
    "join_detections",
    "paired_intersection_over_union",
    "scale_crowding",
]
