"""Finding faces: which detector a pack asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from faceclust.errors import PackError
from faceclust.packs.pack import COLOURS, Pack
from faceclust.packs.session import OnnxModel, format_shape
from faceclust.types import Detections, UInt8
from faceclust.vision.mtcnn import Mtcnn, MtcnnSettings
from faceclust.vision.retinaface import Retinaface, RetinafaceSettings
from faceclust.vision.scrfd import Scrfd
from faceclust.vision.single_stage import SingleStageSettings
from faceclust.vision.yunet import Yunet

#: Finds the faces of one RGB picture (H, W, 3), in its own pixels; those narrower than the second
#: argument, in pixels, are not looked for.
Detector = Callable[[UInt8, float], Detections]


@dataclass(frozen=True)
class _DetectorKind:
    """A detector a manifest can name: its `settings`, a dataclass with the manifest's numbers in it,
    and the `roles` of its files. `open` makes it of these; a grid's network takes any size."""

    settings: type[Any]
    roles: tuple[str, ...]
    create: Callable[[Mapping[str, OnnxModel], Any], Detector]
    accepts_any_size: bool = True


def _fixed_input_size(model: OnnxModel) -> tuple[int, int] | None:
    """The one width and height a network over grids takes, None where it takes any. Raises PackError
    for one that takes no such pictures."""
    shape = model.input_shape
    if len(shape) != 4 or shape[1] not in (3, None) or shape[0] not in (1, None):
        raise PackError(f"{model.name} takes {format_shape(shape)}; a detector takes 1×3×height×width")
    height, width = shape[2:]
    if height is None and width is None:
        return None
    if height is None or width is None or height % 32 or width % 32:
        raise PackError(f"{model.name} takes {format_shape(shape)}; sides should be free, or multiples of 32")
    return width, height


#: Decoder kinds a manifest can name.
DETECTORS = {
    "mtcnn": _DetectorKind(MtcnnSettings, ("pnet", "rnet", "onet"), Mtcnn, accepts_any_size=False),
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
    """The pack's detector, its models opened on a device. Raises PackError for an unknown kind, and
    for settings, files or models that this kind does not have."""
    kind, settings = detector_settings(pack)
    models = {
        role: OnnxModel(pack.path(name), device, any_size=kind.accepts_any_size)
        for role, name in pack.detector.files.items()
    }
    return kind.create(models, settings)


def detector_settings(pack: Pack) -> tuple[_DetectorKind, Any]:
    """The kind of the pack's detector, and its settings, checked. Raises PackError."""
    spec = pack.detector
    if spec.kind not in DETECTORS:
        raise PackError(
            f"pack {pack.name!r} asks for detector {spec.kind!r}", hint=f"known detectors: {', '.join(DETECTORS)}"
        )
    kind = DETECTORS[spec.kind]
    _check_detector_keys(pack, "files", set(spec.files), set(kind.roles), set())
    known = {field.name: field for field in fields(kind.settings)}
    given = dict(spec.settings) | ({"smallest": spec.smallest} if "smallest" in known else {})
    _check_detector_keys(
        pack, "settings", set(given), {n for n, f in known.items() if f.default is MISSING}, set(known)
    )
    for name, value in given.items():
        given[name] = _check_detector_setting(pack, name, value)
    return kind, kind.settings(**given)


def _check_detector_keys(pack: Pack, what: str, given: set[str], needed: set[str], known: set[str]) -> None:
    if given - needed - known or needed - given:
        unknown, lacking = ", ".join(sorted(given - needed - known)), ", ".join(sorted(needed - given))
        words = [f"does not know {unknown}" if unknown else "", f"lacks {lacking}" if lacking else ""]
        raise PackError(
            f"pack {pack.name!r}: its detector {pack.detector.kind} {' and '.join(filter(None, words))}",
            hint=f"its {what} in the manifest are {', '.join(sorted(needed | known))}",
        )


def _check_detector_setting(pack: Pack, name: str, value: Any) -> Any:
    """A setting as its dataclass has it: true or false, a word, a number, or three. Raises PackError."""
    values = value if isinstance(value, list | tuple) else [value]
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    right = {
        "softmaxed": isinstance(value, bool),
        "colour": value in COLOURS,
        "thresholds": numbers and len(values) == 3,
    }
    shares = {"threshold": (0, 1), "thresholds": (0, 1), "overlap": (0, 1), "factor": (0.01, 0.99)}
    low, high = shares.get(name, (-1e9, 1e9))
    numbers = numbers and all(low <= one <= high for one in values)
    right["thresholds"] = right["thresholds"] and numbers
    several = name in ("mean", "scale") and len(values) == 3 and isinstance(value, list | tuple)
    if not right.get(name, numbers and (several or not isinstance(value, list | tuple))):
        raise PackError(f"pack {pack.name!r}: its detector's {name} = {value!r} is not what it should be")
    return tuple(value) if isinstance(value, list) else value
