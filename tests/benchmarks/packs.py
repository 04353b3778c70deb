"""The option for the model pack that a benchmark measures."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.manifest import read_manifest
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack


def add_pack_option(parser: argparse.ArgumentParser) -> None:
    """Add --pack, the name of a pack or the path of its manifest; a `Pack`, by default the default one."""
    parser.add_argument("--pack", type=find_pack, default=DEFAULT_PACK, help="a pack's name, or its manifest")


def find_pack(text: str) -> Pack:
    """Return the pack with this name, or with the manifest at this path."""
    return read_manifest(Path(text)) if text.endswith(".toml") else load_pack(text)
