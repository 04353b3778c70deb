"""How much a face is worth to recognition, 0 to 1.

The chance, by a logistic model, that the face is told to be the person it is when it is compared
with a good photo of them, at a threshold that takes one pair of strangers in a thousand for one
person. The parts it goes by are measured on the detection, the chip and the embedding; their
weights were fitted (`python tests/benchmarks/quality.py LFW_FOLDER --fit`) on half of the people of
Labeled Faces in the Wild, on photos as they are and spoilt in ten ways, none allowed to be below 0.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from faceclust.packs.pack import EmbedderSpec
from faceclust.types import Detections, Float32, Float64, UInt8, check_array

_DETAIL_SIDE = 64  # pixels of the grey square that sharpness and noise are measured on
_DETAIL_REACH = 0.8  # half the side of that square on the chip, of the way from the eyes to the mouth
_MAX_FACTOR = 1e4  # no part is beyond this, whatever it is made of


@dataclass(frozen=True)
class QualityFactors:
    """What quality is made of, float64 (n,) each, finite, more is better; all but the first are 0
    at best.

    `describe_certainty`: −ln(1 − score) of the detector, up to 6.9 (a score of .999).
    `read_dimensions`: −(chip pixels for one photo pixel, above 1), down to −5: how far the face was blown up.
    `sharpness`: log2 of the energy of fine to that of coarse detail, above −2 as −2. The detail of
        three octaves is taken by the Haar wavelet (Mallat 1989) from the middle of the face at 64×64
        grey pixels, across and down: octave 2 against 3 and 4, octave 2 less what `noise` adds.
    `noise`: −(half the standard deviation of independent noise on those pixels, in grey levels), down to
        −20: the median size of the finest diagonal detail, (a − b − c + d) / 4 of four pixels, over
        0.6745 (Donoho & Johnstone 1994); edges hardly touch it.
    `pose`: how far the landmarks are from a face seen from the front, after the pack's template: the
        eyes' distance over that from the eyes to the mouth, off by more than 0.1 (turned: less;
        nodding: more); and the nose's offset sideways, of the same distance, beyond 0.3. Turning in
        the picture's plane changes neither.
    `symmetry`: −(squared L2 between the embeddings of the chip and of its mirror image, at the pack's
        radius), down to −2.5: an embedding that hangs on such a change is not worth much (in the
        spirit of SER-FIQ, Terhörst et al. 2020). 0 where the pack does not mirror."""

    certainty: Float64
    size: Float64
    sharpness: Float64
    noise: Float64
    pose: Float64
    symmetry: Float64


#: Of each part, for packs that mirror and for those that do not; the constant first.
_MIRRORED_WEIGHTS = (4.85, 0.27, 0.2, 1.14, 0.21, 0.5, 7.23)
_UNMIRRORED_WEIGHTS = (2.32, 0.44, 0.2, 1.12, 0.37, 2.22, 0.0)


def face_quality(
    detections: Detections, scales: Float64, chips: UInt8, asymmetry: Float32, norms: Float32, spec: EmbedderSpec
) -> Float32:
    """The quality of n faces, float32 (n,), 0 to 1. `scales`, `chips`, `asymmetry` as for
    `measure_quality_factors`; `norms` (n,) as in `vision.embed.ChipEmbeddings`.

    Where the norm tells of quality (`spec.norm`, as with MagFace, Meng et al. 2021; AdaFace, Kim et al.
    2022, gives unit vectors, and in some exports the norm as an output of its own), it is the geometric
    mean of the model's value and of the norm's place between the least and the best."""
    quality = predict_quality(measure_quality_factors(detections, scales, chips, asymmetry, spec), mirrored=spec.mirror)
    if spec.norm is not None:
        least, best = spec.norm
        place = np.clip((np.nan_to_num(norms.astype(np.float64)) - least) / max(best - least, 1e-12), 0, 1)
        quality = np.sqrt(quality * place)
    return np.clip(quality, 0, 1).astype(np.float32)


def predict_quality(factors: QualityFactors, *, mirrored: bool) -> Float64:
    """The logistic model's value (n,), of parts with or without `symmetry`."""
    constant, *weights = _MIRRORED_WEIGHTS if mirrored else _UNMIRRORED_WEIGHTS
    worth = constant + sum(
        weight * getattr(factors, field.name) for weight, field in zip(weights, fields(QualityFactors), strict=True)
    )
    return np.asarray(1 / (1 + np.exp(-worth)), np.float64)


def measure_quality_factors(
    detections: Detections, scales: Float64, chips: UInt8, asymmetry: Float32, spec: EmbedderSpec
) -> QualityFactors:
    """The parts of n faces. `scales` (n,): chip pixels for one photo pixel, from
    `FaceAnalyser.chip_scales`; `chips` (n, h, w, 3); `asymmetry` (n,) as in `vision.embed.ChipEmbeddings`.
    Raises ValueError where they are not of n faces."""
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
    """Sharpness and noise of chips, not limited yet."""
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
    # A coefficient is a mean of four: independent noise has a quarter of its variance one octave on.
    fine = np.maximum(energies[0] - noise**2 / 2, 0) + 0.1
    return np.log2(fine / (energies[1] + energies[2] + 0.1)), noise.astype(np.float64)


def _haar_step(faces: Float32) -> tuple[Float32, Float64, Float32]:
    """The next octave (n, side / 2, side / 2); the energy (n,) of the detail across and down;
    the diagonal detail."""
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
    """(n, 2): the eyes' distance, and the nose's offset from the line between the eyes' middle and
    the mouth's, both over the length of that line."""
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    down, nose = mouth - eyes, landmarks[:, 2] - eyes
    length = np.maximum(np.hypot(*down.T), 1e-6)
    apart = np.hypot(*(landmarks[:, 1] - landmarks[:, 0]).T)
    across = nose[:, 0] * down[:, 1] - nose[:, 1] * down[:, 0]
    return np.asarray(np.minimum(np.stack([apart / length, across / length**2], axis=1), _MAX_FACTOR), np.float64)


def _replace_non_finite(values: Float32 | Float64) -> Float64:
    return np.nan_to_num(values.astype(np.float64), posinf=_MAX_FACTOR, neginf=-_MAX_FACTOR)
