"""The folder of a report."""

from __future__ import annotations

from faceclust.files.names import REPORT_MARKER
from faceclust.outputs.staged_folder import FolderKind

REPORT = FolderKind(
    "report", REPORT_MARKER, "writes a report", "name another folder with -o", "with --split, name a folder with -o"
)
