"""Adding packs from local files: matching files, and leaving nothing behind after a failure."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from faceclust.errors import PackError
from faceclust.files import bundled
from faceclust.installer import add
from faceclust.installer.add import AddedPack, add_custom_model, add_known_pack, add_pack_from_manifest, find_known_pack
from faceclust.installer.candidates import CandidateFile, find_candidates
from faceclust.installer.manifest_text import UserModel, with_radius
from faceclust.installer.staging import read_manifest_text, save_manifest
from faceclust.packs import registry
from faceclust.packs.manifest import read_manifest
from faceclust.packs.registry import load_pack, pack_names, user_models_folder
from faceclust.packs.verify import check_files, require_files
from tests.support import synthetic_people, tiny_models
from tests.support.pack_builders import MODEL, make_zip

OPTIONS = {"template": "arcface", "colour": "rgb", "mean": 127.5, "scale": 127.5}


def own_model(name: str = "mine", **more: object) -> UserModel:
    return UserModel(**{"name": name, "file": "", "dimension": 0, "chip_size": (0, 0)} | OPTIONS | more)  # type: ignore[arg-type]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def staging_folders() -> list[str]:
    """Return the staging folders left in the user's folder."""
    return sorted(path.name for path in user_models_folder().glob(".adding*"))


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Add a bundled manifest, `marks`, with a SHA-256 for the detector but not for the embedder.
    Return the folder with its files."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    manifest = synthetic_people.write_detector(tmp_path / "source")
    tiny_models.write_embedder(tmp_path / "source" / "vectors.onnx", batch=1)
    text = manifest.read_text()
    text = (
        text[: text.index("[embedder]")]
        + f"""
[embedder]
file = "vectors.onnx"
dimension = 12
chip_size = [112, 112]
colour = "bgr"
mean = [1.0, 2.0, 3.0]
scale = 127.5
mirror = true
radius = 1.2
radius_source = "published"
sure_score = 0.0
max_asymmetry = 4.0
template = "arcface"

[[file]]
name = "marks.onnx"
sha256 = "{sha256(tmp_path / "source" / "marks.onnx")}"
size = {(tmp_path / "source" / "marks.onnx").stat().st_size}
licence = "none"

[[file]]  # nobody has published a hash
name = "vectors.onnx"
licence = "none"
"""
    )
    (folder / "marks.toml").write_text(text)
    folders = bundled.bundled_folders()
    for module in (registry, bundled):
        monkeypatch.setattr(module, "bundled_folders", lambda: [*folders, folder])
    registry.clear_pack_cache()
    return tmp_path / "source"


def test_files_of_a_known_pack_are_installed_and_their_hashes_recorded(shipped: Path) -> None:
    added = add_known_pack("marks", [shipped / "marks.onnx", shipped / "vectors.onnx"])
    pack = load_pack("marks")
    require_files(pack)
    assert pack.folder == added.folder == user_models_folder() / "marks"
    assert [file.sha256 for file in pack.files] == [sha256(shipped / "marks.onnx"), sha256(shipped / "vectors.onnx")]
    assert pack.embedder.mean == (1.0, 2.0, 3.0) and added.trial.dimension == 12
    assert "# nobody has published a hash" in read_manifest_text("marks")
    assert staging_folders() == []


def test_a_zip_with_the_files_is_accepted(shipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("models/readme.txt", "hello")
        for name in ("marks.onnx", "vectors.onnx"):
            archive.write(shipped / name, f"models/{name}")
    added = add_known_pack("marks", [tmp_path / "all.zip"])
    assert {name: path.name for name, path in added.files.items()} == dict.fromkeys(
        ["marks.onnx", "vectors.onnx"], "all.zip"
    )
    require_files(load_pack("marks"))


def test_file_names_do_not_matter_if_the_hash_is_known(shipped: Path, tmp_path: Path) -> None:
    shutil.copy(shipped / "marks.onnx", tmp_path / "a download (1).onnx")
    shutil.copy(shipped / "vectors.onnx", tmp_path / "resnet.onnx")
    add_known_pack("marks", [tmp_path / "resnet.onnx", tmp_path / "a download (1).onnx"])
    require_files(load_pack("marks"))


def test_installed_files_need_not_be_given_again(shipped: Path) -> None:
    add_known_pack("marks", [shipped / "marks.onnx", shipped / "vectors.onnx"])
    other = tiny_models.write_embedder(shipped / "other" / "vectors.onnx", batch=8)
    with pytest.raises(PackError, match=r"is not the vectors\.onnx of the pack"):
        add_known_pack("marks", [other])
    add_known_pack("marks", [other], overwrite=True)
    assert sha256(user_models_folder() / "marks" / "vectors.onnx") == sha256(other)
    require_files(load_pack("marks"))


def test_a_wrong_file_is_refused_and_nothing_is_installed(shipped: Path, tmp_path: Path) -> None:
    corrupted = tmp_path / "marks.onnx"
    corrupted.write_bytes((shipped / "marks.onnx").read_bytes()[:-1] + b"x")
    for files, words in (
        (
            [corrupted, shipped / "vectors.onnx"],
            rf"is not the marks\.onnx of the pack 'marks': its SHA-256 is {sha256(corrupted)}",
        ),
        ([shipped / "marks.onnx"], "the pack 'marks' also needs vectors.onnx"),
        ([tmp_path / "nowhere.onnx"], "cannot be read: No such file"),
        ([tmp_path], "is a folder"),
        (
            [shipped / "marks.onnx", shipped / "vectors.onnx", shipped / "marks.toml"],
            "marks.toml is not a file of",
        ),
    ):
        with pytest.raises(PackError, match=words):
            add_known_pack("marks", files)
        assert not (user_models_folder() / "marks").exists() and staging_folders() == []
    with pytest.raises(PackError, match="comes with faceclust"):
        add_known_pack("dlib", [corrupted])


def test_models_are_tried_before_they_are_installed(shipped: Path) -> None:
    wrong = tiny_models.write_embedder(shipped / "vectors.onnx", (96, 96))
    with pytest.raises(PackError, match=r"vectors\.onnx takes any×3×96×96; the manifest's chips are 112×112"):
        add_known_pack("marks", [shipped / "marks.onnx", wrong])
    assert not (user_models_folder() / "marks").exists() and staging_folders() == []


def test_unusable_zips_are_reported(shipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("archive/data.pkl", "x")
    with pytest.raises(PackError, match=r"net\.pt is not an ONNX file but a zip archive, such as PyTorch's"):
        add_known_pack("marks", [tmp_path / "net.pt"])
    (tmp_path / "net.pt").rename(tmp_path / "net.zip")
    with pytest.raises(PackError, match="is a zip without an ONNX file"):
        add_known_pack("marks", [tmp_path / "net.zip"])
    intact, corrupted = tmp_path / "net.zip", tmp_path / "corrupted.zip"
    with zipfile.ZipFile(intact, "w") as archive:
        archive.write(shipped / "marks.onnx", "marks.onnx")
    data = bytearray(intact.read_bytes())
    data[200] ^= 0xFF
    corrupted.write_bytes(data)
    with pytest.raises(PackError, match="cannot extract"):
        add_known_pack("marks", [corrupted])


def corrupted_zips(folder: Path) -> list[Path]:
    """Write zips of one ONNX file, each corrupted at another position."""
    paths = []
    for name, method in (("stored", zipfile.ZIP_STORED), ("lzma", zipfile.ZIP_LZMA), ("bz", zipfile.ZIP_BZIP2)):
        intact = make_zip(MODEL, name="m.onnx", method=method)
        directory = intact.rindex(b"PK\x01\x02")
        for position in (len(intact) // 2, directory + 5, directory + 30, len(intact) - 6):
            paths.append(folder / f"{name}-{position}.zip")
            flipped = bytes([intact[position] ^ 0xFF])
            paths[-1].write_bytes(intact[:position] + flipped + intact[position + 1 :])
    return paths


def test_a_corrupted_zip_gives_a_one_line_error(shipped: Path, tmp_path: Path) -> None:
    for path in corrupted_zips(tmp_path):
        with pytest.raises(PackError) as failure:
            add_known_pack("marks", [path])
        assert "\n" not in str(failure.value)


@pytest.mark.slow
def test_a_pack_from_a_manifest(tmp_path: Path) -> None:
    manifest = synthetic_people.write_detector(tmp_path / "own")
    added = add_pack_from_manifest(manifest, [], dry_run=True)
    assert "marks" not in pack_names() and added.folder == user_models_folder() / "marks"
    add_pack_from_manifest(manifest, [])
    pack = load_pack("marks")
    require_files(pack)
    assert [check.file.embedded for check in check_files(pack)] == [False, True]
    with pytest.raises(PackError, match="there is already a pack called 'marks'"):
        add_pack_from_manifest(manifest, [])
    add_pack_from_manifest(manifest, [], "other")
    assert load_pack("other").name == "other"
    add_pack_from_manifest(manifest, [], overwrite=True)


def test_files_of_the_embedded_pack_are_recognised_by_hash(tmp_path: Path) -> None:
    manifest = synthetic_people.write_detector(tmp_path / "own")
    (dlib,) = (file for file in load_pack("dlib").files if file.name == "dlib_resnet.onnx")
    text = manifest.read_text().replace('"dlib_resnet.onnx"', '"vectors.onnx"')
    text = text.replace("embedded = true", f'sha256 = "{dlib.sha256}"\nsize = 1\nlicence = "CC0"')
    manifest.write_text(text)
    add_pack_from_manifest(manifest, [])
    pack = load_pack("marks")
    assert pack.embedder.file == "dlib_resnet.onnx" and pack.files[1].embedded
    assert sorted(path.name for path in pack.folder.iterdir()) == ["marks.onnx", "pack.toml"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"marks.onnx"\nlicence', '"../marks.onnx"\nlicence', "marks.onnx"),
        ("scale = 1\n", "scale = 0\n", "scale"),
        ('template = "dlib"', 'template = "box"', "margin"),
        ("schema = 1", "schema = 1\nembedded = true", "only bundled packs can be embedded"),
        ("threshold = 0.9", "threshhold = 0.9", "threshhold"),
        ('name = "marks"', 'name = "Big Marks"', "is not a valid pack name"),
        ('name = "marks"', 'name = "dlib"', "is the name of a pack that faceclust knows"),
    ],
)
def test_an_invalid_manifest_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    manifest = synthetic_people.write_detector(tmp_path / "own")
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    with pytest.raises(PackError, match=words):
        add_pack_from_manifest(manifest, [])
    assert staging_folders() == [] and not (user_models_folder() / "marks").exists()


def add_model(tmp_path: Path, model: dict[str, object], **more: object) -> AddedPack:
    return add_custom_model(tiny_models.write_embedder(tmp_path / "my.onnx", **model), own_model(**more))  # type: ignore[arg-type]


def test_a_single_model_becomes_a_pack(tmp_path: Path) -> None:
    added = add_model(tmp_path, {"size": (96, 112), "layout": "nhwc", "batch": 8})
    pack = load_pack("mine")
    require_files(pack)
    assert (pack.embedder.chip_size, pack.embedder.dimension) == ((96, 112), 12)
    assert pack.radius_source == "none" and pack.detector.kind == "mtcnn" and added.trial.dimension == 12
    assert pack.embedder.radius == 1.0 and not pack.embedded and pack.space != pack.fingerprint
    assert sorted(path.name for path in pack.folder.iterdir()) == ["my.onnx", "pack.toml"]
    assert find_known_pack(tmp_path / "my.onnx") == "mine"


def test_the_template_gives_the_chip_size_if_the_model_does_not(tmp_path: Path) -> None:
    add_model(tmp_path, {"size": (160, 160), "declared_size": ("h", "w")}, template="box", margin=0.2)
    assert load_pack("mine").embedder.chip_size == (160, 160)
    assert load_pack("mine").embedder.margin == 0.2


def test_the_files_of_another_packs_detector_are_copied(tmp_path: Path) -> None:
    add_pack_from_manifest(synthetic_people.write_detector(tmp_path / "own"), [])
    add_model(tmp_path, {}, detector="marks", radius=1.234567)
    pack = load_pack("mine")
    require_files(pack)
    assert pack.detector.kind == "scrfd" and pack.radius_source == "published" and pack.embedder.radius == 1.2346
    shutil.rmtree(user_models_folder() / "marks")
    require_files(pack)


def test_a_missing_detector_is_reported_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"face_detection_yunet_2023mar\.onnx is missing") as failure:
        add_model(tmp_path, {}, detector="sface")
    assert failure.value.hint == "faceclust models pull sface"
    assert not user_models_folder().exists()


@pytest.mark.parametrize("name", ["my:model?.onnx", "é" * 100 + ".onnx", "agreed-to.txt", "x.part", " .onnx"])
def test_unusable_file_names_are_replaced(tmp_path: Path, name: str) -> None:
    add_custom_model(tiny_models.write_embedder(tmp_path / "made.onnx").rename(tmp_path / name), own_model())
    require_files(load_pack("mine"))
    assert load_pack("mine").embedder.file == "model.onnx"


def test_a_name_taken_by_another_process_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def add_meanwhile(paths: list[Path]) -> list[CandidateFile]:
        monkeypatch.undo()
        add_model(tmp_path / "other", {})
        return find_candidates(paths)

    monkeypatch.setattr(add, "find_candidates", add_meanwhile)
    with pytest.raises(PackError, match="there is already a pack called 'mine'"):
        add_model(tmp_path, {"size": (96, 112)})
    assert load_pack("mine").embedder.chip_size == (112, 112)


def test_restrictions_of_the_detectors_licence_apply_to_the_new_pack(tmp_path: Path) -> None:
    manifest = synthetic_people.write_detector(tmp_path / "own")
    manifest.write_text(manifest.read_text().replace("schema = 1", 'schema = 1\ncommercial = false\nterms = "Look."'))
    prompts: list[str] = []
    add_pack_from_manifest(manifest, [], accept_terms=lambda pack: prompts.append(f"{pack.name} in {pack.folder}"))
    assert prompts == [f"marks in {user_models_folder() / 'marks'}"]
    add_custom_model(
        tiny_models.write_embedder(tmp_path / "my.onnx"),
        own_model(detector="marks", licence="MIT"),
        accept_terms=lambda pack: prompts.append(pack.name),
    )
    assert prompts[1:] == ["marks"]
    assert (load_pack("mine").commercial, load_pack("mine").terms) == (False, "Look.")
    add_model(tmp_path, {}, name="other")
    assert (load_pack("other").commercial, load_pack("other").terms) == (None, "")


@pytest.mark.parametrize(("licence", "commercial"), [("mit", True), ("CC-BY-NC-4.0", False), ("BUSL-1.1", None)])
def test_the_licence_decides_about_commercial_use(tmp_path: Path, licence: str, commercial: bool | None) -> None:
    add_model(tmp_path, {}, licence=licence)
    assert load_pack("mine").commercial is commercial
    manifest = synthetic_people.write_detector(tmp_path / "own")
    manifest.write_text(manifest.read_text().replace('licence = "none"', f'licence = "{licence}"'))
    assert add_pack_from_manifest(manifest, [], dry_run=True).pack.commercial is commercial
    manifest.write_text(manifest.read_text().replace("schema = 1", "schema = 1\ncommercial = false"))
    assert add_pack_from_manifest(manifest, [], dry_run=True).pack.commercial is False  # as stated


def test_setting_the_radius_changes_nothing_else(tmp_path: Path) -> None:
    add_model(tmp_path, {})
    before, text = load_pack("mine"), read_manifest_text("mine")
    save_manifest("mine", with_radius(text, 2.5))
    after = load_pack("mine")
    assert (after.embedder.radius, after.radius_source) == (2.5, "measured")
    assert after.fingerprint == before.fingerprint and after.space != before.space
    changed = set(text.splitlines()) ^ set(read_manifest_text("mine").splitlines())
    assert all(line.startswith("radius") for line in changed) and len(changed) == 4


@pytest.mark.parametrize("name", ["", "Mine", "../up", "a/b", ".hidden", "a" * 42, "dlib"])
def test_an_invalid_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackError):
        add_model(tmp_path, {}, name=name)
    assert not user_models_folder().exists() or not list(user_models_folder().iterdir())


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(PackError, match="No space left on device"):
        add_model(tmp_path, {})
    assert staging_folders() == [] and "mine" not in pack_names()


def test_a_written_manifest_round_trips(tmp_path: Path) -> None:
    add_model(tmp_path, {}, mean=(1.0, 2.0, 3.0), scale=57.5, colour="bgr", mirror=False, licence="MIT")
    spec = read_manifest(user_models_folder() / "mine" / "pack.toml").embedder
    assert (spec.mean, spec.scale, spec.colour, spec.mirror) == ((1.0, 2.0, 3.0), 57.5, "bgr", False)
