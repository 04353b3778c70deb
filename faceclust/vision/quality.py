"""Face image quality for recognition, 0 to 1.

Quality is the probability that the face is recognised in a comparison with a good photo of the same
person. The threshold is the one with a false match rate of 1 in 1000. A logistic model predicts it
from factors measured on the detection, the chip and the embedding.

The weights were fitted with the pack dlib on half of the people of Labeled Faces in the Wild, on the
original photos and ten degraded versions of them. No weight may be negative. The command is `python
tests/benchmarks/quality.py LFW_FOLDER --pack dlib --fit`. With MobileFaceNet's norms, these weights
predict better than weights fitted for MobileFaceNet without norms do.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from faceclust.packs.pack import EmbedderSpec
from faceclust.types import Detections, Float32, Float64, UInt8, check_array

_DETAIL_SIDE = 64  # side in pixels of the grey square that sharpness and noise are measured on
_DETAIL_REACH = 0.8  # half the square's side on the chip, in units of the distance from eyes to mouth
_MAX_FACTOR = 1e4  # bound on every factor, whatever the measurements
_MAX_EXPONENT = 700.0  # float64 overflows above 709, and the quality is 0 long before


@dataclass(frozen=True)
class QualityFactors:
    """The factors of n faces, float64 (n,) each, finite; more is better.

    All but the first are at most 0.

    - `certainty`: −ln(1 − score) of the detector, up to 6.9 (a score of .999).
    - `size`: −(chip pixels per photo pixel − 1), from 0 down to −5: the upscaling of the face.
    - `sharpness`: log2 of the energy of fine detail over that of coarse detail, at most −2. Detail
      is measured by three octaves of the Haar wavelet (Mallat 1989) on the middle of the face, at
      64×64 grey pixels, horizontally and vertically. Octave 2, less the share of `noise`, is
      compared with octaves 3 and 4.
    - `noise`: −(half the standard deviation of independent noise on those pixels, in grey levels),
      down to −20. The deviation is the median magnitude of the finest diagonal detail, (a − b − c +
      d) / 4 of four pixels, over 0.6745 (Donoho & Johnstone 1994). Edges hardly affect it.
    - `pose`: −(deviation of the landmarks from those of a frontal face, the pack's template). It
      adds two parts. The first is the eye distance relative to the distance from eyes to mouth,
      beyond a deviation of 0.1 (smaller: turned sideways; larger: nodding). The second is the
      sideways offset of the nose, in the same unit, beyond 0.3. Rotation in the image plane affects
      neither.
    - `symmetry`: −(squared L2 between the embeddings of the chip and of its mirror image, at the
      pack's radius), down to −2.5. An embedding that changes so much is unreliable (in the spirit
      of SER-FIQ, Terhörst et al. 2020). 0 if the pack does not mirror.
    """

    certainty: Float64
    size: Float64
    sharpness: Float64
    noise: Float64
    pose: Float64
    symmetry: Float64


#: A constant, then a weight per factor, for packs that mirror and for those that do not.
_MIRRORED_WEIGHTS = (4.85, 0.27, 0.2, 1.14, 0.21, 0.5, 7.23)
_UNMIRRORED_WEIGHTS = (2.32, 0.44, 0.2, 1.12, 0.37, 2.22, 0.0)


def face_quality(
    detections: Detections, scales: Float64, chips: UInt8, asymmetry: Float32, norms: Float32, spec: EmbedderSpec
) -> Float32:
    """Return the quality of n faces, float32 (n,), 0 to 1.

    `scales`, `chips` and `asymmetry` are as in `measure_quality_factors`; `norms` (n,) as in
    `vision.embed.ChipEmbeddings`.

    For packs whose norm indicates quality (`spec.norm`), the result is the geometric mean of the
    model's value and the norm's position between worst and best. MobileFaceNet is of that kind, and
    MagFace (Meng et al. 2021) is trained for it. AdaFace (Kim et al. 2022) returns unit vectors, and
    in some exports the norm as another output.
    """
    quality = predict_quality(measure_quality_factors(detections, scales, chips, asymmetry, spec), mirrored=spec.mirror)
    if spec.norm is not None:
        quality = combine_with_norm(quality, norms, spec.norm)
    return np.clip(quality, 0, 1).astype(np.float32)


def combine_with_norm(quality: Float64, norms: Float32, limits: tuple[float, float]) -> Float64:
    """Return the geometric mean of qualities (n,) and the norms' positions between `limits`, worst and best."""
    least, best = limits
    place = np.clip((np.nan_to_num(norms.astype(np.float64)) - least) / max(best - least, 1e-12), 0, 1)
    return np.asarray(np.sqrt(quality * place), np.float64)


def predict_quality(factors: QualityFactors, *, mirrored: bool) -> Float64:
    """Return the logistic model's value (n,), for packs that mirror or do not."""
    constant, *weights = _MIRRORED_WEIGHTS if mirrored else _UNMIRRORED_WEIGHTS
    worth = constant + sum(
        weight * getattr(factors, field.name) for weight, field in zip(weights, fields(QualityFactors), strict=True)
    )
    return np.asarray(1 / (1 + np.exp(np.minimum(-worth, _MAX_EXPONENT))), np.float64)


def measure_quality_factors(
    detections: Detections, scales: Float64, chips: UInt8, asymmetry: Float32, spec: EmbedderSpec
) -> QualityFactors:
    """Measure the quality factors of n faces.

    `scales` (n,): chip pixels per photo pixel, from `FacePipeline.chip_scales`. `chips`: uint8 (n,
    h, w, 3). `asymmetry` (n,): as in `vision.embed.ChipEmbeddings`. Raises ValueError if they are
    not of n faces.
    """
    n = len(detections)
    check_array("chips", chips, (n, None, None, 3), np.uint8)
    check_array("asymmetry", asymmetry, (n,), np.float32)
    sharpness, noise = _measure_detail(chips, spec.template)
    return QualityFactors(
        certainty=-np.log(np.clip(1 - _replace_non_finite(detections.scores), 1e-3, 1)),
        size=-np.clip(_replace_non_finite(scales) - 1, 0, 5),
        sharpness=np.minimum(sharpness, -2),
        noise=-np.minimum(noise, 20),
        pose=-_pose_deviation(detections.landmarks, spec.template),
        symmetry=-np.clip(_replace_non_finite(asymmetry) * spec.radius**2, 0, 2.5),
    )


def _measure_detail(chips: UInt8, template: Float32) -> tuple[Float64, Float64]:
    """Return sharpness and noise of chips, not clipped."""
    x, y = template.mean(axis=0).tolist()
    reach = _DETAIL_REACH * float(np.hypot(*(template[3:].mean(axis=0) - template[:2].mean(axis=0))))
    height, width = chips.shape[1:3]
    left, right = max(0, round(x - reach)), min(width, round(x + reach))
    top, bottom = max(0, round(y - reach)), min(height, round(y + reach))
    faces = np.empty((len(chips), _DETAIL_SIDE, _DETAIL_SIDE), np.float32)
    for face, chip in zip(faces, chips, strict=True):
        middle = Image.fromarray(chip[top:bottom, left:right]).convert("L")
        face[:] = np.asarray(middle.resize((_DETAIL_SIDE, _DETAIL_SIDE), Image.Resampling.BOX))
    coarser, _, finest = _haar_step(faces)
    noise = np.median(np.abs(finest).reshape(len(faces), -1), axis=1) / 0.6745 if len(faces) else np.empty(0)
    energies = []
    for _ in range(3):
        coarser, energy, _ = _haar_step(coarser)
        energies.append(energy)
    # A coefficient is a mean of four, so each octave has a quarter of the noise's variance.
    fine = np.maximum(energies[0] - noise**2 / 2, 0) + 0.1
    return np.log2(fine / (energies[1] + energies[2] + 0.1)), noise.astype(np.float64)


def _haar_step(faces: Float32) -> tuple[Float32, Float64, Float32]:
    """Return one step of the Haar transform.

    The parts are the next octave (n, side / 2, side / 2), the energy (n,) of its horizontal and
    vertical detail, and its diagonal detail.
    """
    a, b, c, d = faces[:, ::2, ::2], faces[:, ::2, 1::2], faces[:, 1::2, ::2], faces[:, 1::2, 1::2]
    above, below, left, right = a + b, c + d, a - b, c - d
    energy = ((left + right) ** 2 + (above - below) ** 2).mean(axis=(1, 2), dtype=np.float64) / 16
    quarter = np.float32(0.25)
    return (above + below) * quarter, np.asarray(energy, np.float64), (left - right) * quarter


def _pose_deviation(landmarks: Float32, template: Float32) -> Float64:
    ratios = _pose_ratios(landmarks.astype(np.float64)) - _pose_ratios(template.astype(np.float64)[None])
    width, nose = np.abs(ratios.T)
    return np.asarray(np.maximum(width - 0.1, 0) + np.maximum(nose - 0.3, 0), np.float64)


def _pose_ratios(landmarks: Float64) -> Float64:
    """Return (n, 2): eye distance and nose offset, in units of the distance from eyes to mouth.

    The offset is perpendicular to the line from the middle of the eyes to the middle of the mouth.
    """
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    down, nose = mouth - eyes, landmarks[:, 2] - eyes
    length = np.maximum(np.hypot(*down.T), 1e-6)
    eye_distance = np.hypot(*(landmarks[:, 1] - landmarks[:, 0]).T)
    across = nose[:, 0] * down[:, 1] - nose[:, 1] * down[:, 0]
    ratios = np.stack([eye_distance / length, across / length**2], axis=1)
    return np.asarray(np.minimum(ratios, _MAX_FACTOR), np.float64)


def _replace_non_finite(values: Float32 | Float64) -> Float64:
    return np.nan_to_num(values.astype(np.float64), posinf=_MAX_FACTOR, neginf=-_MAX_FACTOR)
