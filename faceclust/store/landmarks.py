"""The landmarks of faces in the caches."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faceclust.store.library_table import LibraryTable
from faceclust.types import Float32


def read_landmarks(table: LibraryTable, face_ids: Collection[str]) -> dict[str, Float32]:
    """Return face id → landmarks, float32 (5, 2) in fractions of the upright photo, of those faces that have any."""
    rows = table.rows.select(["face_id", "landmarks"])
    wanted = pc.is_in(rows["face_id"], value_set=pa.array(face_ids, pa.string()))
    rows = rows.filter(pc.and_(wanted, pc.is_valid(rows["landmarks"])))
    landmarks = np.asarray(rows["landmarks"].combine_chunks().flatten(), np.float32).reshape(-1, 5, 2)
    return dict(zip(rows["face_id"].to_pylist(), landmarks, strict=True))
