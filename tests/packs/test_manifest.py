"""Manifests are untrusted input: every fault in one gives one clear error."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.errors import PackError
from faceclust.packs.manifest import read_manifest
from faceclust.packs.registry import load_pack, pack_names
from tests.support.pack_builders import MODEL, TRAINING_TABLE, build_manifest, install_manifest, make_zip

GOOD = build_manifest()
ZIPPED = build_manifest(archive=make_zip(MODEL))


def test_a_valid_manifest_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "pack.toml"
    path.write_text(ZIPPED)
    pack = read_manifest(path)
    assert pack.is_pullable and [file.name for file in pack.own_files] == ["model.onnx"]
    assert pack.archives[0].name == "all.zip" and pack.files[0].member == "in/m.onnx"
    assert pack.files[1].sha256 == load_pack("dlib").files[1].sha256
    assert pack.path("mtcnn_onet.onnx").is_file() and pack.path("model.onnx").parent == tmp_path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", "its schema is 2"),
        ("schema = 1", "schema = true", "a whole number"),
        ('title = "', 'owner = "x"\ntitle = "', "the manifest has unknown keys: 'owner'"),
        ("[embedder]", "[embedder]\ndropout = 1", "[embedder] has unknown keys: 'dropout'"),
        ('name = "model.onnx"', 'name = "model.onnx"\nmode = 0', "[[file]] 1 has unknown keys: 'mode'"),
        (
            'name = "mtcnn_pnet.onnx"\nembedded',
            'size = 3\nname = "mtcnn_pnet.onnx"\nembedded',
            "unknown keys: 'size'",
        ),
        ("title = ", "titel = ", "has no 'title'"),
        ('title = "A', 'title = "\\u001b[2JA', "one line of 1 to 300 characters"),
        ('title = "A', f'title = "{"A" * 300}', "one line of 1 to 300 characters"),
        ("commercial = true", 'commercial = "yes"', "true or false"),
        ("[detector]", "[[detector]]", "is not a table"),
        ('"model.onnx"\nlic', '"../model.onnx"\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', '"/etc/passwd"\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', "'a\\b.onnx'\nlic", "is not a valid file name"),
        ('"model.onnx"\nlic', '"..."\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', '".hidden"\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', '"C:x"\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', '"x\\u0000"\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', '"pack.toml"\nlic', "reserved for faceclust"),
        ('"model.onnx"\nlic', '"agreed-to.txt"\nlic', "reserved for faceclust"),
        ('"model.onnx"\nlic', '"x.part"\nlic', "reserved for faceclust"),
        ('"model.onnx"\nlic', '["x"]\nlic', "is not a valid file name"),
        ('"model.onnx"\nlic', '"Mtcnn_ONET.onnx"\nlic', "two of its files have the same name"),
        ('"model.onnx"\nlic', '"other.onnx"\nlic', "there is no [[file]] for model.onnx"),
        ('mtcnn_onet.onnx"\nemb', 'mtcnn_none.onnx"\nemb', "is not a file of an embedded"),
        ('onet = "mtcnn_onet.onnx"', 'onet = "../x"', "is not a valid file name"),
        ('url = "https', 'url = "http', "an https:// URL"),
        ('url = "https://models.example', 'url = "https://models.example:port', "an https:// URL"),
        ('url = "https://', 'url = "file://', "an https:// URL"),
        ('url = "https://m', 'url = "https://m m', "an https:// URL"),
        ('sha256 = "', 'sha256 = "0', "64 lowercase hex digits"),
        (f"size = {len(MODEL)}", "size = -1", "a whole number from 1"),
        (f"size = {len(MODEL)}", "size = 1e5", "a whole number from 1"),
        ("dimension = 128", "dimension = 0", "a whole number from 1"),
        ("dimension = 128", "dimension = 10000000", "a whole number from 1"),
        ("chip_size = [112, 112]", "chip_size = [112]", "a list of 2 numbers"),
        ("chip_size = [112, 112]", "chip_size = [2000, 2000]", "from 8 to 1024"),
        ("chip_size = [112, 112]", "chip_size = [1e300, 1e300]", "a list of 2 numbers"),
        ("chip_size = [112, 112]", "chip_size = [nan, 8]", "a list of 2 numbers"),
        ('colour = "rgb"', 'colour = "cmyk"', "one of rgb, bgr"),
        ("mean = 127.5", 'mean = "much"', "a number from"),
        ("mean = 127.5", "mean = [1, 2]", "a list of 3 numbers"),
        ("scale = 127.5", "scale = 0", "do not map pixels to finite numbers"),
        ("scale = 127.5", "scale = 1e-50", "do not map pixels to finite numbers"),
        ("scale = 127.5", "scale = 1e-39", "do not map pixels to finite numbers"),
        ("mirror = false", "mirror = false\nnorm = [10, -10]", "the lower, then the higher norm"),
        ("mirror = false", 'mirror = false\nnorm_output = "norm"', "norm_output needs norm"),
        ("mirror = false", "mirror = false\nnorm = [1, 2]\nnorm_output = 3", "one line of 1 to 300"),
        ("radius = 1.0", "radius = 0", "a number from 0.001"),
        ("radius = 1.0", "radius = nan", "a number from 0.001"),
        ("radius = 1.0", "radius = inf", "a number from 0.001"),
        ('radius_source = "none"', 'radius_source = "a friend"', "one of measured, published, none"),
        ('template = "arcface"', 'template = "round"', "unknown template 'round'"),
        ('template = "arcface"', "template = [[1, 2]]", "a list of five points"),
        ('template = "arcface"', "template = [[1, 2], [1, 2], [1, 2], [1, 2], [1, [2]]]", "a list of five points"),
        ('template = "arcface"', 'template = "box"', "needs a margin, and only it takes one"),
        ("long_side = 1000", "long_side = 10000000000", "a whole number from 32"),
        ("factor = 0.709", "factor = {}", "must be a number, a flag, a text or a list"),
        ("factor = 0.709", "factor = nan", "must be a number, a flag, a text or a list"),
        ("factor = 0.709", f"factor = {'[' * 500}{']' * 500}", "not a usable"),
        ("[detector]", 'file = "x"\n[detector]', "not a usable"),
        ("", "\x00", "not a usable"),
    ],
)
def test_faults_are_reported(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    path = tmp_path / "pack.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(PackError) as failure:
        read_manifest(path)
    message = str(failure.value)
    assert words in message and message.startswith(f"{path}: ") and message.isprintable() and failure.value.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('member = "in/m.onnx"', 'member = "../m.onnx"', "a path inside the archive"),
        ('member = "in/m.onnx"', 'member = "/m.onnx"', "a path inside the archive"),
        ('all.zip"\nmember', 'other.zip"\nmember', "not that of an [[archive]]"),
        ('all.zip"\nsha256', 'a/"\nsha256', "is not a valid file name"),
    ],
)
def test_faults_of_an_archive_are_reported(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in ZIPPED
    path = tmp_path / "pack.toml"
    path.write_text(ZIPPED.replace(old, new, 1))
    with pytest.raises(PackError) as failure:
        read_manifest(path)
    assert words in str(failure.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a" * 1_100_000, b"", b"[" * 100_000])
def test_files_that_are_not_manifests(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pack.toml"
    path.write_bytes(content)
    with pytest.raises(PackError, match="not a usable pack manifest"):
        read_manifest(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def _paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the key paths of all values inside `value`."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=VALUES)
def test_any_value_anywhere_is_accepted_or_rejected(data: st.DataObject, value: object) -> None:
    """Invalid values raise only the errors that `read_manifest` turns into a PackError."""
    from faceclust.packs import manifest
    from faceclust.packs.toml_table import TomlTable

    raw = tomllib.loads(ZIPPED + TRAINING_TABLE)
    *path, last = data.draw(st.sampled_from(_paths(raw)))
    container: object = raw
    for key in path:
        container = container[key]  # type: ignore[index]
    container[last] = value  # type: ignore[index]
    try:
        manifest._parse_pack(TomlTable(raw, "the manifest"), Path("/nowhere"))
    except (ValueError, TypeError, OverflowError) as error:
        assert str(error)


def test_an_installed_pack_must_have_the_name_of_its_folder() -> None:
    install_manifest(GOOD.replace('name = "mine"', 'name = "other"'))
    with pytest.raises(PackError, match="the name is 'other', expected"):
        load_pack("mine")
    install_manifest(GOOD.replace("commercial = true", "commercial = true\nembedded = true"))
    with pytest.raises(PackError, match="only for bundled packs"):
        load_pack("mine")


def test_the_embedded_pack_cannot_be_overridden() -> None:
    install_manifest(GOOD.replace('name = "mine"', 'name = "dlib"'), "dlib")
    assert load_pack("dlib").embedded and load_pack("dlib").title != "A pack of a test"


def test_an_installed_manifest_takes_precedence_over_a_bundled_one() -> None:
    assert load_pack("sface").title != "A pack of a test"
    install_manifest(GOOD.replace('name = "mine"', 'name = "sface"'), "sface")
    assert load_pack("sface").title == "A pack of a test"
    assert pack_names().count("sface") == 1
