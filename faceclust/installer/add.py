"""Add packs from local files: those of a known pack, a pack with a manifest, or a single model.

The files are staged and tried before the pack is installed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from faceclust.errors import PackError
from faceclust.files.bundled import find_bundled_manifest
from faceclust.files.names import EMBEDDED_PACKS, MANIFEST_NAME
from faceclust.installer.candidates import CandidateFile, find_candidates, installed_files, match_candidates
from faceclust.installer.manifest_text import UserModel, build_manifest, with_file_hashes
from faceclust.installer.staging import check_pack_name, install_staged, lock_pack, stage_files
from faceclust.installer.trial import PackTrial, try_pack
from faceclust.packs.alignment_templates import BOX_CHIP_SIZE, BOX_TEMPLATE, TEMPLATES
from faceclust.packs.manifest import parse_manifest, read_manifest
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack, pack_names
from faceclust.packs.session import OnnxModel, format_shape
from faceclust.packs.toml_table import safe_file_name
from faceclust.packs.verify import require_files
from faceclust.vision.embedder_io import infer_layout, infer_vector_output, vector_length

#: Called last with the pack whose terms apply; raises if the user does not accept them.
AcceptTerms = Callable[[Pack], None]


def _accept_any_terms(pack: Pack) -> None:
    pass


@dataclass(frozen=True)
class AddedPack:
    """A pack that was installed into `folder`, or would be with `dry_run`. `files` maps each file
    name to its source, `trial` has the results of the trial run."""

    pack: Pack
    files: dict[str, Path]
    folder: Path
    trial: PackTrial


def add_known_pack(
    name: str,
    files: Sequence[Path],
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    accept_terms: AcceptTerms = _accept_any_terms,
) -> AddedPack:
    """Install the files of a bundled pack, single or in zips.

    Files that are already installed may be left out. For a file without an official SHA-256, that
    of the given file is recorded in the manifest; `overwrite` accepts a different file later.
    Raises PackError.
    """
    pack = load_pack(name)
    if pack.embedded:
        raise PackError(f"the pack {name!r} comes with faceclust", hint="there is nothing to add")
    bundled = find_bundled_manifest(name)
    if bundled is not None and overwrite:
        pack = replace(read_manifest(bundled), folder=pack.folder)
    needed = pack.own_files
    needed_hashes = {file.sha256 for file in needed}
    installed = [file for file in installed_files(pack).values() if file.sha256 in needed_hashes]
    chosen = match_candidates(pack, [*find_candidates(files), *installed], needed)
    manifest = None
    if bundled is not None and any(file.sha256 is None for file in needed):
        manifest = with_file_hashes(bundled.read_text(encoding="utf-8"), _hashes_of(chosen), {}, name)
    return _try_and_install(pack, chosen, manifest, dry_run, accept_terms)


def add_pack_from_manifest(
    manifest: Path,
    files: Sequence[Path],
    name: str | None = None,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    accept_terms: AcceptTerms = _accept_any_terms,
) -> AddedPack:
    """Install a pack from the user's manifest.

    Its files are taken from `files`, from beside the manifest, and from the embedded packs if the
    SHA-256 matches. `name` overrides the manifest's name; `overwrite` replaces a pack of that name.
    Raises PackError.
    """
    pack = read_manifest(manifest)
    name = name or pack.name
    check_pack_name(name, replace=overwrite)
    if pack.embedded or pack.former_fingerprint:
        raise PackError(
            f"{manifest}: only bundled packs can be embedded or have a fingerprint",
            hint='remove "embedded = true" and "fingerprint"',
        )
    files_of_packs = [file for embedded in EMBEDDED_PACKS for file in load_pack(embedded).files]
    embedded = {sha256: file.name for file in files_of_packs for sha256 in (file.former_sha256, file.sha256) if sha256}
    needed = [file for file in pack.files if not file.embedded and file.sha256 not in embedded]
    candidates = find_candidates(files)
    hashes, names = {file.sha256 for file in candidates}, {file.name for file in candidates}
    beside = [manifest.parent / file.name for file in needed if file.sha256 not in hashes and file.name not in names]
    candidates += find_candidates([path for path in beside if path.is_file()])
    chosen = match_candidates(pack, candidates, needed)
    text = with_file_hashes(manifest.read_text(encoding="utf-8"), _hashes_of(chosen), embedded, name)
    return _try_and_install(replace(pack, name=name), chosen, text, dry_run, accept_terms, replaces=overwrite)


def add_custom_model(
    model: Path,
    spec: UserModel,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    accept_terms: AcceptTerms = _accept_any_terms,
) -> AddedPack:
    """Install the user's model as the embedder of a new pack.

    A dimension of 0 or a chip size of 0×0 in `spec` is inferred from the model. The terms to accept
    are those of the detector's pack. Raises PackError.
    """
    check_pack_name(spec.name, replace=overwrite)
    detector = load_pack(spec.detector)
    needed = {*detector.detector.files.values(), detector.detector.landmarks}
    require_files(detector, needed)
    file_name = safe_file_name(model.name, "model.onnx")
    if file_name in {file.name for file in detector.files}:
        file_name = f"own-{file_name}"
    spec = replace(_infer_model_spec(model, spec), file=file_name)
    chosen: dict[str, CandidateFile] = {}
    if not detector.embedded:
        chosen |= {name: file for name, file in installed_files(detector).items() if name in needed}
    (chosen[file_name],) = find_candidates([model])
    text = build_manifest(spec, _hashes_of(chosen))
    try:
        parse_manifest(text, model.parent)
    except ValueError as error:
        raise PackError(f"{model.name} cannot be made into a pack: {error}") from error
    pack = replace(detector, name=spec.name, embedded=False)
    return _try_and_install(pack, chosen, text, dry_run, lambda _: accept_terms(detector), replaces=overwrite)


def find_known_pack(path: Path) -> str | None:
    """Return the name of the pack that a file belongs to, by its SHA-256; None if unknown."""
    hashes = {file.sha256 for file in find_candidates([path])}
    for name in pack_names():
        with contextlib.suppress(PackError):  # broken manifests are reported elsewhere
            if any(file.sha256 in hashes for file in load_pack(name).own_files):
                return name
    return None


def _hashes_of(files: Mapping[str, CandidateFile]) -> dict[str, tuple[str, int]]:
    return {name: (file.sha256, file.size) for name, file in files.items()}


def _infer_model_spec(path: Path, spec: UserModel) -> UserModel:
    """Fill in the chip size and the dimension from the model."""
    model = OnnxModel(path)
    layout = infer_layout(model.name, model.input_shape, spec.layout)
    sides = model.input_shape[2:] if layout == "nchw" else model.input_shape[1:3]
    for side, requested in zip(sides, spec.chip_size[::-1], strict=True):
        if requested and side not in (None, requested):
            raise PackError(
                f"{model.name} has the input {format_shape(model.input_shape)}, which does not fit chips of "
                f"{spec.chip_size[0]}×{spec.chip_size[1]} (width×height)",
                hint="leave --chip out to use the model's size",
            )
    default = BOX_CHIP_SIZE if spec.template == BOX_TEMPLATE else TEMPLATES[spec.template][0]
    chip_size = spec.chip_size if spec.chip_size[0] else default
    height, width = (side or fallback for side, fallback in zip(sides, chip_size[::-1], strict=True))
    output = infer_vector_output(model.name, model.output_shapes, spec.output)
    dimension = vector_length(model.output_shapes[output])
    if dimension is None:  # the file does not declare it: run the model
        shape = (model.input_shape[0] or 1, *((3, height, width) if layout == "nchw" else (height, width, 3)))
        dimension = _run_model(model, shape)[output].size // shape[0]
    return replace(spec, chip_size=(width, height), dimension=dimension)


def _run_model(model: OnnxModel, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    try:
        return model(np.zeros(shape, np.float32))
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise PackError(
            f"{model.name} cannot be run: {' '.join(str(error).split())[:300]}",
            hint="state the size of its input: --chip WxH",
        ) from error


def _try_and_install(
    pack: Pack,
    chosen: dict[str, CandidateFile],
    manifest: str | None,
    dry_run: bool,
    accept_terms: AcceptTerms,
    *,
    replaces: bool | None = None,
) -> AddedPack:
    """Stage the files, run the pack, and install it. `replaces` allows a pack of the user's own to
    replace one of the same name; None for a bundled pack."""
    with lock_pack(pack.name), stage_files(chosen, manifest) as staging_folder:
        if replaces is not None:
            check_pack_name(pack.name, replace=replaces)  # under the lock, no other process can take it
        folder = staging_folder.parent / pack.name
        if manifest is None:
            staged = replace(pack, folder=staging_folder)
        else:
            staged = read_manifest(staging_folder / MANIFEST_NAME)
        trial = try_pack(staged)
        if not dry_run:
            accept_terms(replace(staged, folder=folder))
            install_staged(staging_folder, pack.name)
    return AddedPack(replace(staged, folder=folder), {name: file.path for name, file in chosen.items()}, folder, trial)
