"""Load the face detector that a pack's manifest asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Protocol

from faceclust.errors import PackError
from faceclust.packs.onnx_file import read_onnx
from faceclust.packs.pack import COLOURS, Pack
from faceclust.packs.session import OnnxModel, format_shape
from faceclust.types import Detections
from faceclust.vision.effort import Effort
from faceclust.vision.mtcnn import Mtcnn, MtcnnSettings, with_coarse_cells
from faceclust.vision.pyramid import ImagePyramid
from faceclust.vision.retinaface import Retinaface, RetinafaceSettings
from faceclust.vision.scrfd import Scrfd
from faceclust.vision.single_stage import SingleStageSettings
from faceclust.vision.yunet import Yunet


class Detector(Protocol):
    """Finds the faces in an RGB picture, in its pixels."""

    def __call__(self, pyramid: ImagePyramid, min_face: float, effort: Effort = Effort.USUAL) -> Detections:
        """`min_face`: width of the smallest face to look for, in pixels."""


@dataclass(frozen=True)
class ScoreLevels:
    """Scores by which faces decide whether a picture is upright.

    A picture with a `certain` face is. A picture that is turned shows a `sure` face. Measured for MTCNN
    and YuNet (tests/benchmarks/four_ways.py); the others' scores have the range of YuNet's.
    """

    sure: float = 0.8
    certain: float = 0.9


@dataclass(frozen=True)
class _DetectorKind:
    """A kind of detector that a manifest can name.

    `settings`: dataclass of the manifest's numbers. `roles`: names of its model files. `create`:
    makes the detector from both. `accepts_any_size`: the runtime may assume inputs of any size.
    `variants`: further roles, each an edited form of the file of another role; a file that cannot be
    edited has none. `former_settings`: those of earlier versions, which manifests may still contain.
    """

    settings: type[Any]
    roles: tuple[str, ...]
    create: Callable[[Mapping[str, OnnxModel], Any], Detector]
    accepts_any_size: bool = True
    variants: Mapping[str, tuple[str, Callable[[bytes], bytes | None]]] = field(default_factory=dict)
    former_settings: frozenset[str] = frozenset()
    score_levels: ScoreLevels = ScoreLevels()


def _fixed_input_size(model: OnnxModel) -> tuple[int, int] | None:
    """Return the (width, height) that a network takes, None if it takes any size.

    Raises PackError if its input is not a picture.
    """
    shape = model.input_shape
    if len(shape) != 4 or shape[1] not in (3, None) or shape[0] not in (1, None):
        raise PackError(f"{model.name} takes {format_shape(shape)}; a detector takes 1×3×height×width")
    height, width = shape[2:]
    if height is None and width is None:
        return None
    if height is None or width is None or height % 32 or width % 32:
        raise PackError(f"{model.name} takes {format_shape(shape)}; its sides must be free, or multiples of 32")
    return width, height


#: Detector kinds by their name in manifests.
DETECTORS = {
    "mtcnn": _DetectorKind(
        MtcnnSettings,
        ("pnet", "rnet", "onet"),
        lambda models, _: Mtcnn(models),
        accepts_any_size=False,
        variants={"coarse_pnet": ("pnet", with_coarse_cells)},
        former_settings=frozenset({"factor", "thresholds", "overlap"}),
        score_levels=ScoreLevels(sure=0.95, certain=0.995),
    ),
    "yunet": _DetectorKind(
        SingleStageSettings, ("yunet",), lambda m, s: Yunet(m["yunet"], s, _fixed_input_size(m["yunet"]))
    ),
    "scrfd": _DetectorKind(
        SingleStageSettings, ("scrfd",), lambda m, s: Scrfd(m["scrfd"], s, _fixed_input_size(m["scrfd"]))
    ),
    "retinaface": _DetectorKind(
        RetinafaceSettings,
        ("retinaface",),
        lambda m, s: Retinaface(m["retinaface"], s, _fixed_input_size(m["retinaface"])),
    ),
}


def load_detector(pack: Pack, device: str = "cpu") -> Detector:
    """Open the models of the pack's detector on a device.

    Raises PackError for an unknown kind, or for settings, files or models that do not fit the kind.
    """
    kind, settings = detector_settings(pack)
    models = {
        role: OnnxModel(pack.path(name), device, any_size=kind.accepts_any_size)
        for role, name in pack.detector.files.items()
    }
    for role, (source, edit) in kind.variants.items():
        path = pack.path(pack.detector.files[source])
        if (edited := edit(read_onnx(path))) is not None:
            models[role] = OnnxModel(path, device, data=edited)
    return kind.create(models, settings)


def detector_settings(pack: Pack) -> tuple[_DetectorKind, Any]:
    """Return the kind of the pack's detector and its validated settings. Raises PackError."""
    spec = pack.detector
    if spec.kind not in DETECTORS:
        raise PackError(
            f"pack {pack.name!r} asks for detector {spec.kind!r}", hint=f"known detectors: {', '.join(DETECTORS)}"
        )
    kind = DETECTORS[spec.kind]
    _check_detector_keys(pack, "files", set(spec.files), set(kind.roles), set())
    known = {field.name: field for field in fields(kind.settings)}
    given = {key: value for key, value in spec.settings.items() if key not in kind.former_settings}
    given |= {"smallest": spec.smallest} if "smallest" in known else {}
    _check_detector_keys(
        pack, "settings", set(given), {n for n, f in known.items() if f.default is MISSING}, set(known)
    )
    for name, value in given.items():
        given[name] = _check_detector_setting(pack, name, value)
    return kind, kind.settings(**given)


def _check_detector_keys(pack: Pack, what: str, given: set[str], needed: set[str], known: set[str]) -> None:
    unknown, missing = sorted(given - needed - known), sorted(needed - given)
    if unknown or missing:
        faults = [f"does not know {', '.join(unknown)}"] if unknown else []
        faults += [f"lacks {', '.join(missing)}"] if missing else []
        raise PackError(
            f"pack {pack.name!r}: its detector {pack.detector.kind} {' and '.join(faults)}",
            hint=f"its {what} in the manifest are {', '.join(sorted(needed | known))}",
        )


def _check_detector_setting(pack: Pack, name: str, value: Any) -> Any:
    """Return a setting as its dataclass stores it. Raises PackError if its type or value is invalid."""
    is_valid, allowed = _SETTING_CHECKS.get(name, (_is_number, "a number"))
    if not is_valid(value):
        raise PackError(f"pack {pack.name!r}: its detector's {name} must be {allowed}, not {value!r}")
    return tuple(value) if isinstance(value, list) else value


def _is_number(value: Any, low: float = -1e9, high: float = 1e9) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_fraction(value: Any) -> bool:
    return _is_number(value, 0, 1)


def _is_triple(value: Any, is_valid: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(is_valid, value))


def _is_channel_level(value: Any) -> bool:
    return _is_number(value) or _is_triple(value, _is_number)


#: By setting: a check of its value, and the allowed values in words. Others are numbers.
_SETTING_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "softmaxed": (lambda value: isinstance(value, bool), "true or false"),
    "colour": (lambda value: value in COLOURS, " or ".join(COLOURS)),
    "threshold": (_is_fraction, "a number from 0 to 1"),
    "overlap": (_is_fraction, "a number from 0 to 1"),
    "mean": (_is_channel_level, "a number, or three"),
    "scale": (_is_channel_level, "a number, or three"),
}
