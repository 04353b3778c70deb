"""The bundled manifests."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack, pack_names
from faceclust.packs.verify import check_files, install_hint, pack_state
from faceclust.vision.detect import detector_settings

MODELS = Path(__file__).parents[2] / "models"
NAMES = ["adaface", "auraface", "buffalo_l", "buffalo_s", "dlib", "facenet", "magface", "mobilefacenet", "sface"]
CHAPTER = MODELS.parent / "faceclust" / "manual" / "model-packs.md"
#: Published thresholds, as squared L2 of unit vectors. The radius maps them to 1.1.
PUBLISHED = {"sface": 2 - 2 * 0.363, "buffalo_l": 2 - 2 * 0.38, "buffalo_s": 2 - 2 * 0.38, "facenet": 1.046**2}


@pytest.fixture(params=NAMES)
def pack(request: pytest.FixtureRequest) -> Pack:
    return load_pack(request.param)


def test_all_bundled_packs_are_covered() -> None:
    assert pack_names() == NAMES == sorted(path.stem for path in MODELS.glob("*.toml"))


def test_every_manifest_is_valid_and_documented(pack: Pack) -> None:
    assert pack.terms.endswith(".") and pack.licence
    detector_settings(pack)  # raises if a setting is unknown
    size = pack.embedder.chip_size
    assert ((pack.embedder.template > 0) & (pack.embedder.template < size)).all()
    assert re.search(rf"^\| `{pack.name}` \|", CHAPTER.read_text(encoding="utf-8"), re.M)


def test_states_before_anything_is_installed(pack: Pack) -> None:
    state = pack_state(pack, check_files(pack))
    assert state == ("embedded" if pack.embedded else "can be pulled" if pack.is_pullable else "add only")
    assert pack.name in install_hint(pack) or pack.embedded
    assert (state == "add only") == (pack.name in ("facenet", "magface"))


def test_published_radii_follow_from_the_published_thresholds(pack: Pack) -> None:
    assert (pack.radius_source == "published") == (pack.name in PUBLISHED)
    if pack.name in PUBLISHED:
        assert pack.embedder.radius == pytest.approx(math.sqrt(1.1 / PUBLISHED[pack.name]), abs=1e-3)


def test_packs_for_commercial_use_contain_no_restricted_files() -> None:
    restricted = {file.sha256 for name in NAMES for file in load_pack(name).own_files if not load_pack(name).commercial}
    for name in NAMES:
        if load_pack(name).commercial:
            assert not restricted & {file.sha256 for file in load_pack(name).files}, name


def test_urls_name_a_commit_or_release_not_a_branch(pack: Pack) -> None:
    for url in filter(None, [file.url for file in pack.files]):
        assert re.search(r"/[0-9a-f]{40}/|/releases/download/", url)


def test_equal_hashes_have_equal_sizes() -> None:
    sizes: dict[str, int | None] = {}
    for name in NAMES:
        for file in load_pack(name).files:
            if file.sha256:
                assert sizes.setdefault(file.sha256, file.size) == file.size
