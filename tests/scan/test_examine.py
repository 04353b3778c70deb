"""Photos examined by a worker, one after another."""

from __future__ import annotations

from pathlib import Path

from faceclust.packs.registry import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.scan.examine import PhotoExaminer, ScanSettings
from faceclust.types import PhotoRef, SkippedPhoto
from faceclust.vision.pipeline import FacePipeline
from tests.support.photo_files import build_wide_gamut_profile, encode_image
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait


def test_faces_on_photos_with_a_profile_are_embedded_in_srgb(tmp_path: Path) -> None:
    settings = ScanSettings(load_pack("dlib"))
    examiner, analyser = PhotoExaminer(tmp_path, settings), FacePipeline(settings.pack)
    for person in (COLLINS, HOPPER):  # the second uses the memory of the first
        data = encode_image(load_portrait(person), "JPEG", quality=95, icc_profile=build_wide_gamut_profile())
        (tmp_path / "photo.jpg").write_bytes(data)
        examined = examiner(PhotoRef("photo.jpg", len(data), 0))
        assert not isinstance(examined, SkippedPhoto)
        found = examined[0]
        pixels = decode_photo(data, PhotoRef("photo.jpg", len(data), 0)).pixels
        expected = analyser.detect(pixels)
        (faces,) = analyser.embed([expected], [analyser.align(pixels, expected)])
        assert len(found.boxes) == len(expected) == 1
        radius = settings.pack.embedder.radius
        assert ((found.embeddings - faces.embeddings) ** 2).sum() / radius**2 < 0.003
