"""Finding faces: which detector a pack asks for."""

from __future__ import annotations

from collections.abc import Callable

from faceclust.errors import PackError
from faceclust.packs.pack import DetectorSpec, Pack
from faceclust.packs.session import Model, OnnxModel
from faceclust.types import Detections, UInt8
from faceclust.vision.mtcnn import Mtcnn, MtcnnSettings
from faceclust.vision.yunet import Yunet, YunetSettings

#: Finds the faces of one RGB picture (H, W, 3), in its own pixels; those narrower than the second
#: argument, in pixels, are not looked for.
Detector = Callable[[UInt8, float], Detections]


def _mtcnn(models: dict[str, Model], spec: DetectorSpec) -> Detector:
    settings = dict(spec.settings)
    return Mtcnn(models, MtcnnSettings(thresholds=tuple(settings.pop("thresholds")), **settings))


def _yunet(models: dict[str, Model], spec: DetectorSpec) -> Detector:
    return Yunet(models["yunet"], YunetSettings(smallest=spec.smallest, **spec.settings))


#: Decoder kinds a manifest can name.
DETECTORS: dict[str, Callable[[dict[str, Model], DetectorSpec], Detector]] = {"mtcnn": _mtcnn, "yunet": _yunet}


def load_detector(pack: Pack, device: str = "cpu") -> Detector:
    """The pack's detector, its models opened on a device. Raises PackError for an unknown kind."""
    spec = pack.detector
    if spec.kind not in DETECTORS:
        raise PackError(
            f"pack {pack.name!r} asks for detector {spec.kind!r}", hint=f"known detectors: {', '.join(DETECTORS)}"
        )
    models: dict[str, Model] = {role: OnnxModel(pack.path(name), device) for role, name in spec.files.items()}
    return DETECTORS[spec.kind](models, spec)
