"""A record of training, and the manifest of a trained pack."""

from __future__ import annotations

from faceclust.packs.training_record import MeasuredFigures, TrainingRecord
from faceclust.training.measure import Calibration
from faceclust.training.pack_manifest import build_trained_manifest

RECORD = TrainingRecord(
    digest="cd" * 32,
    origin="recordio",
    people=1000,
    faces=20_000,
    held_out_people=100,
    backbone="tiny",
    backbone_settings={"dimension": 64, "size": "96x112", "width": 0.5},
    head="plain",
    head_settings={"scale": 8.0, "fixed": False},
    epochs=3,
    batch=64,
    people_per_batch=16,
    learning_rate=0.05,
    precision="bfloat16",
    seed=2**32 - 1,
    version="9.9",
    measured=MeasuredFigures(
        50, 400, (0.9, 0.85, 0.95), "mobilefacenet", (0.01, -0.02, 0.03), (0.97, 0.01), None, ((0.01, 0.6),)
    ),
)
CALIBRATION = Calibration(1.25, "measured", None, 50, 400, (8.125, 21.5))


def write_trained_manifest(
    *,
    licence: str = "not known",
    calibration: Calibration | None = CALIBRATION,
    use_norm: bool = True,
    record: TrainingRecord = RECORD,
) -> str:
    return build_trained_manifest(
        "mine",
        "Tiny trained with Plain",
        dimension=64,
        chip_size=(96, 112),
        levels=(127.5, 127.5),
        file=("ef" * 32, 1234),
        licence=licence,
        calibration=calibration,
        use_norm=use_norm,
        record=record,
    )
