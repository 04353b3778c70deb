"""Hatchling build hook: makes the embedded pack's ONNX files and ships them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PackBuildHook(BuildHookInterface):
    """Builds `models/*.onnx`; a standard wheel carries them, an editable one finds them in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        models = Path(self.root) / "models"
        sys.path.insert(0, str(models))
        try:
            from packbuilder import PackBuildError, build_pack

            try:
                onnx_files = build_pack(models / "dlib.toml", models)
            except PackBuildError as error:
                sys.exit(f"faceclust: the embedded face models cannot be built: {error}")
        finally:
            sys.path.remove(str(models))
        if version == "editable":
            return
        shipped = [*onnx_files, *models.glob("*.toml"), *(models / "licences").iterdir()]
        for path in shipped:
            build_data["force_include"][str(path)] = f"faceclust/models/{path.relative_to(models).as_posix()}"
