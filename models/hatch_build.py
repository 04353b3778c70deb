"""Hatchling build hook: build the embedded packs' ONNX files, and fetch the scripts of the map page.

The environment variable FACECLUST_BUILD_PACKS names the packs to build, separated by commas. Without
it all are built. `FACECLUST_BUILD_PACKS=dlib` needs no npm: without it the map page is left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PackBuildHook(BuildHookInterface):
    """Builds `models/*.onnx`. A standard wheel contains them; an editable install uses them in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "sdist":  # carries sources only
            return
        models = Path(self.root) / "models"
        sys.path.insert(0, str(models))
        try:
            onnx_files = self._build(models)
        finally:
            sys.path.remove(str(models))
        if version == "editable":
            return
        shipped = [*onnx_files, *models.glob("*.toml"), *(models / "licences").iterdir()]
        for path in shipped:
            build_data["force_include"][str(path)] = f"faceclust/models/{path.relative_to(models).as_posix()}"

    def _build(self, models: Path) -> list[Path]:
        from npm_files import NpmError
        from packbuilder import PackBuildError, build_packs
        from web_scripts import fetch_web_scripts

        chosen = os.environ.get("FACECLUST_BUILD_PACKS")
        packs = [name.strip() for name in chosen.split(",")] if chosen else None
        try:
            onnx_files = build_packs(models, models, packs)
        except PackBuildError as error:
            sys.exit(f"faceclust: the embedded face models cannot be built: {error}")
        try:
            fetch_web_scripts(Path(self.root) / "faceclust" / "outputs" / "web" / "vendor")
        except NpmError as error:
            if packs != ["dlib"]:
                sys.exit(f"faceclust: the scripts of the map page cannot be fetched: {error}")
            self.app.display_warning(f"faceclust map will not work: {error}")
        return onnx_files
