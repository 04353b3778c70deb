"""Build manifests and archives of test packs, and install them in the user's folder."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import random
import zipfile
from pathlib import Path
from typing import Any

from faceclust.packs.alignment_templates import template_points
from faceclust.packs.pack import Pack
from faceclust.packs.registry import clear_pack_cache, load_pack, user_models_folder

#: Random bytes in place of a model file, so that every part of it differs.
MODEL = random.Random(7).randbytes(400_000)
SITE = "https://models.example"

_MANIFEST = """
schema = 1
name = "{name}"
title = "A pack of a test"
licence = "{licence}"
terms = "You may {may} sell what you make with it."
commercial = {commercial}
{archives}
[detector]
kind = "mtcnn"
long_side = 1000
smallest = 20
factor = 0.709
thresholds = [0.8, 0.7, 0.8]
overlap = 0.6
files = {{ pnet = "mtcnn_pnet.onnx", rnet = "mtcnn_rnet.onnx", onet = "mtcnn_onet.onnx" }}

[embedder]
file = "model.onnx"
dimension = 128
chip_size = [112, 112]
colour = "rgb"
mean = 127.5
scale = 127.5
mirror = false
radius = 1.0
radius_source = "none"
sure_score = 0.0
max_asymmetry = 4.0
template = "arcface"

[[file]]
name = "model.onnx"
licence = "{licence}"
{source}
"""
_EMBEDDED = "".join(f'\n[[file]]\nname = "mtcnn_{net}.onnx"\nembedded = true\n' for net in ("pnet", "rnet", "onet"))


#: What a trained pack's manifest has more.
TRAINING_TABLE = """
[training]
digest = "{digest}"
origin = "folder"
people = 210
faces = 4031
held_out_people = 40
backbone = "mobilefacenet"
backbone_settings = {{width = 0.5, size = "64x64"}}
head = "mv-softmax"
head_settings = {{scale = 32.0, adaptive = true, depth = 3}}
epochs = 20
batch = 128
people_per_batch = 0
learning_rate = 0.1
precision = "float32"
seed = 7
version = "1.0"

[training.measured]
people = 20
faces = 95
bcubed_f = [0.91, 0.88, 0.93]
baseline = "mobilefacenet"
difference = [-0.04, -0.06, -0.01]
accuracy = [0.9512, 0.004]
tar = [[0.01, 0.52], [0.001, 0.2]]
""".format(digest="ab" * 32)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def build_manifest(
    name: str = "mine", content: bytes | None = MODEL, *, commercial: bool = True, archive: bytes | None = None
) -> str:
    """Return the manifest of a pack with `content` as its file, or as a member of the zip `archive`.

    `content` None: the manifest has no hash.
    """
    source = f'url = "{SITE}/{name}/model.onnx"' if archive is None else f'url = "{SITE}/all.zip"\nmember = "in/m.onnx"'
    if content is not None:
        source += f'\nsha256 = "{sha256(content)}"\nsize = {len(content)}'
    archives = ""
    if archive is not None:
        archives = f'[[archive]]\nurl = "{SITE}/all.zip"\nsha256 = "{sha256(archive)}"\nsize = {len(archive)}'
    return (
        _MANIFEST.format(
            name=name,
            licence="MIT" if commercial else "for research only",
            may="" if commercial else "not",
            commercial=str(commercial).lower(),
            archives=archives,
            source=source,
        )
        + _EMBEDDED
    )


def install_manifest(text: str, name: str = "mine") -> Path:
    """Install the manifest in the user's folder and return the pack's folder."""
    folder = user_models_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(text, encoding="utf-8")
    clear_pack_cache()
    return folder


def make_zip(content: bytes, *, name: str = "in/m.onnx", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive with `content` and a readme."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("readme.txt", "no model")
        archive.writestr(name, content)
    return buffer.getvalue()


def pack_with_embedder(path: Path, size: tuple[int, int] = (112, 112), **spec: Any) -> Pack:
    """Build a pack of dlib's detector and an embedder of 12 dimensions, aligned as ArcFace does."""
    dlib = load_pack("dlib")
    embedder = dataclasses.replace(
        dlib.embedder,
        **{"file": path.name, "dimension": 12, "chip_size": size, "template": template_points("arcface", size)} | spec,
    )
    files = tuple(dataclasses.replace(file, embedded=True) for file in dlib.files)
    return dataclasses.replace(dlib, name="test", folder=path.parent, embedder=embedder, files=files, embedded=False)
