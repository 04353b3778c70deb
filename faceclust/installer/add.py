"""Packs from files on this disk: a known pack's, one with a manifest of the user's own, or a model
alone. Each is copied, tried, and only then put in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from faceclust.errors import PackError
from faceclust.files.names import DEFAULT_PACK, MANIFEST_NAME
from faceclust.installer.candidates import CandidateFile, find_candidates, installed_files, match_candidates
from faceclust.installer.manifest_text import UserModel, build_manifest, with_file_hashes
from faceclust.installer.staging import check_pack_name, install_staged, lock_pack, stage_files
from faceclust.installer.trial import PackTrial, try_pack
from faceclust.packs.alignment_templates import BOX_CHIP_SIZE, BOX_TEMPLATE, TEMPLATES
from faceclust.packs.bundled import find_bundled_manifest
from faceclust.packs.manifest import parse_manifest, read_manifest
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack, pack_names
from faceclust.packs.session import OnnxModel, format_shape
from faceclust.packs.toml_table import safe_file_name
from faceclust.packs.verify import require_files
from faceclust.vision.embedder_io import infer_layout, infer_vector_output, vector_length

#: Called with the pack whose terms hold, once all else is well; raises where they are not agreed to.
AcceptTerms = Callable[[Pack], None]


def _accept_any_terms(pack: Pack) -> None:
    pass


@dataclass(frozen=True)
class AddedPack:
    """A pack that was put in, or would be; `files` by name, where each came from; `folder`: where it
    is; `trial`: what running it showed."""

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
    """Put in the files of a pack that faceclust knows, single or in the zips they come in. Files that
    are in already need not be named again. Where nobody has said which SHA-256 a file is to have,
    that of the file is noted; `anew` takes another file than was noted. Raises PackError."""
    pack = load_pack(name)
    if pack.embedded:
        raise PackError(f"the pack {name!r} comes with faceclust", hint="there is nothing to add")
    text = find_bundled_manifest(name)
    if text is not None and overwrite:
        pack = replace(read_manifest(text), folder=pack.folder)
    needed = [file for file in pack.files if not file.embedded]
    offered = find_candidates(files)
    there = [one for one in installed_files(pack).values() if one.sha256 in {file.sha256 for file in needed}]
    chosen = match_candidates(pack, [*offered, *there], needed)
    found = {one: (file.sha256, file.size) for one, file in chosen.items()}
    manifest = None
    if text is not None and any(file.sha256 is None for file in needed):
        manifest = with_file_hashes(text.read_text(encoding="utf-8"), found, {}, name)
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
    """Put in a pack by a manifest of the user's own. Its files are those named, those beside it, and
    those of the embedded pack, known by their SHA-256. `name`: instead of its own; `anew`: in place
    of the pack of that name. Raises PackError."""
    pack = read_manifest(manifest)
    name = name or pack.name
    check_pack_name(name, replace=overwrite)
    if pack.embedded:
        raise PackError(f"{manifest} says that the pack comes with faceclust", hint='take out "embedded = true"')
    embedded = {file.sha256: file.name for file in load_pack(DEFAULT_PACK).files if file.sha256 is not None}
    needed = [file for file in pack.files if not file.embedded and file.sha256 not in embedded]
    offered = find_candidates(files)
    hashes, names = {one.sha256 for one in offered}, {one.name for one in offered}
    beside = [manifest.parent / file.name for file in needed if file.sha256 not in hashes and file.name not in names]
    offered += find_candidates([path for path in beside if path.is_file()])
    chosen = match_candidates(pack, offered, needed)
    found = {one: (file.sha256, file.size) for one, file in chosen.items()}
    text = with_file_hashes(manifest.read_text(encoding="utf-8"), found, embedded, name)
    return _try_and_install(replace(pack, name=name), chosen, text, dry_run, accept_terms, replaces=overwrite)


def add_custom_model(
    model: Path,
    spec: UserModel,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    accept_terms: AcceptTerms = _accept_any_terms,
) -> AddedPack:
    """Put in a model of the user's own as a pack's embedder. What `own` leaves open (a dimension of 0,
    a chip of 0×0) the model says. It is the detector's terms that are agreed to. Raises PackError."""
    check_pack_name(spec.name, replace=overwrite)
    detector = load_pack(spec.detector)
    needed = {*detector.detector.files.values(), detector.detector.landmarks}
    require_files(detector, needed)
    spec = _infer_model_spec(model, spec)
    (offered,) = find_candidates([model])
    chosen = (
        {} if detector.embedded else {name: one for name, one in installed_files(detector).items() if name in needed}
    )
    spec = replace(
        spec, file=_choose_free_name(safe_file_name(model.name, "model.onnx"), {file.name for file in detector.files})
    )
    chosen[spec.file] = offered
    text = build_manifest(spec, {name: (one.sha256, one.size) for name, one in chosen.items()})
    try:
        parse_manifest(text, model.parent)
    except ValueError as error:
        raise PackError(f"{model.name} makes no pack: {error}") from error
    named = replace(detector, name=spec.name, embedded=False)
    return _try_and_install(named, chosen, text, dry_run, lambda _: accept_terms(detector), replaces=overwrite)


def find_known_pack(path: Path) -> str | None:
    """The name of a known pack that this file is one of, by its SHA-256; None where there is none."""
    hashes = {one.sha256 for one in find_candidates([path])}
    for name in pack_names():
        with contextlib.suppress(PackError):  # somebody's broken manifest is told of elsewhere
            if any(file.sha256 in hashes for file in load_pack(name).files if not file.embedded):
                return name
    return None


def _infer_model_spec(path: Path, own: UserModel) -> UserModel:
    model = OnnxModel(path)
    layout = infer_layout(model.name, model.input_shape, own.layout)
    sides = model.input_shape[2:] if layout == "nchw" else model.input_shape[1:3]
    for side, want in zip(sides, own.chip_size[::-1], strict=True):
        if want and side not in (None, want):
            raise PackError(
                f"{model.name} takes {format_shape(model.input_shape)}: no chips of "
                f"{own.chip_size[0]}×{own.chip_size[1]} (width×height)",
                hint="leave --chip out: the model says it",
            )
    usual = BOX_CHIP_SIZE if own.template == BOX_TEMPLATE else TEMPLATES[own.template][0]
    height, width = (
        side or want for side, want in zip(sides, (own.chip_size if own.chip_size[0] else usual)[::-1], strict=True)
    )
    output = infer_vector_output(model.name, model.output_shapes, own.output)
    dimension = vector_length(model.output_shapes[output])
    if dimension is None:  # only running it tells
        shape = (model.input_shape[0] or 1, *((3, height, width) if layout == "nchw" else (height, width, 3)))
        dimension = _run_model(model, shape)[output].size // shape[0]
    return replace(own, chip_size=(width, height), dimension=dimension)


def _run_model(model: OnnxModel, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    try:
        return model(np.zeros(shape, np.float32))
    except Exception as error:  # ONNX Runtime's own share no base class
        raise PackError(f"{model.name} cannot be run: {' '.join(str(error).split())[:300]}") from error


def _choose_free_name(name: str, taken: set[str]) -> str:
    return name if name not in taken else f"own-{name}"


def _try_and_install(
    pack: Pack,
    chosen: dict[str, CandidateFile],
    manifest: str | None,
    dry_run: bool,
    agree: AcceptTerms,
    *,
    replaces: bool | None = None,
) -> AddedPack:
    """`replaces`: of a pack of the user's own, whether one of that name may be there already; None for
    one that faceclust knows."""
    with lock_pack(pack.name), stage_files(chosen, manifest) as stage:
        if replaces is not None:
            check_pack_name(pack.name, replace=replaces)  # again: only now nobody else can take it
        folder = stage.parent / pack.name
        tried = replace(pack, folder=stage) if manifest is None else read_manifest(stage / MANIFEST_NAME)
        trial = try_pack(tried)
        if not dry_run:
            agree(replace(tried, folder=folder))
            install_staged(stage, pack.name)
    return AddedPack(replace(tried, folder=folder), {name: one.path for name, one in chosen.items()}, folder, trial)
