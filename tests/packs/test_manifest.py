"""Manifests come from anywhere: what is wrong in one is one clear error."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.errors import PackError
from faceclust.packs.manifest import read_manifest
from faceclust.packs.registry import load_pack, pack_names
from tests.support.pack_builders import MODEL, manifest_text, put_in, zip_of

GOOD = manifest_text()
ZIPPED = manifest_text(archive=zip_of(MODEL))


def test_the_made_ones_are_read(tmp_path: Path) -> None:
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
        ("schema = 1", "schema = 2", "schema 2"),
        ("schema = 1", "schema = true", "a whole number"),
        ('title = "', 'owner = "x"\ntitle = "', "knows no 'owner'"),
        ("[embedder]", "[embedder]\ndropout = 1", "[embedder] knows no 'dropout'"),
        ('name = "model.onnx"', 'name = "model.onnx"\nmode = 0', "[[file]] 1 knows no 'mode'"),
        ('name = "mtcnn_pnet.onnx"\nembedded', 'size = 3\nname = "mtcnn_pnet.onnx"\nembedded', "knows no 'size'"),
        ("title = ", "titel = ", "says nothing of 'title'"),
        ('title = "A', 'title = "\\u001b[2JA', "a line of 1 to 300 characters"),
        ('title = "A', f'title = "{"A" * 300}', "a line of 1 to 300 characters"),
        ("commercial = true", 'commercial = "yes"', "true or false"),
        ("[detector]", "[[detector]]", "is not a table"),
        ('"model.onnx"\nlic', '"../model.onnx"\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', '"/etc/passwd"\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', "'a\\b.onnx'\nlic", "is no name of a file"),
        ('"model.onnx"\nlic', '"..."\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', '".hidden"\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', '"C:x"\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', '"x\\u0000"\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', '"pack.toml"\nlic', "kept for faceclust"),
        ('"model.onnx"\nlic', '"agreed-to.txt"\nlic', "kept for faceclust"),
        ('"model.onnx"\nlic', '"x.part"\nlic', "kept for faceclust"),
        ('"model.onnx"\nlic', '["x"]\nlic', "is no name of a file"),
        ('"model.onnx"\nlic', '"Mtcnn_ONET.onnx"\nlic', "two of its files have one name"),
        ('"model.onnx"\nlic', '"other.onnx"\nlic', "no [[file]] says what model.onnx is"),
        ('mtcnn_onet.onnx"\nemb', 'mtcnn_none.onnx"\nemb', "is no file of the embedded"),
        ('onet = "mtcnn_onet.onnx"', 'onet = "../x"', "is no name of a file"),
        ('url = "https', 'url = "http', "an https:// address"),
        ('url = "https://models.example', 'url = "https://models.example:port', "an https:// address"),
        ('url = "https://', 'url = "file://', "an https:// address"),
        ('url = "https://m', 'url = "https://m m', "an https:// address"),
        ('sha256 = "', 'sha256 = "0', "64 hex digits"),
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
        ("scale = 127.5", "scale = 0", "bring no pixel"),
        ("scale = 127.5", "scale = 1e-50", "bring no pixel"),
        ("scale = 127.5", "scale = 1e-39", "bring no pixel"),
        ("mirror = false", "mirror = false\nnorm = [10, -10]", "the least, then the best"),
        ("mirror = false", 'mirror = false\nnorm_output = "norm"', "norm_output goes with norm"),
        ("mirror = false", "mirror = false\nnorm = [1, 2]\nnorm_output = 3", "a line of 1 to 300"),
        ("radius = 1.0", "radius = 0", "a number from 0.001"),
        ("radius = 1.0", "radius = nan", "a number from 0.001"),
        ("radius = 1.0", "radius = inf", "a number from 0.001"),
        ('radius_source = "none"', 'radius_source = "a friend"', "one of measured, published, none"),
        ('template = "arcface"', 'template = "round"', "no template 'round'"),
        ('template = "arcface"', "template = [[1, 2]]", "a list of five points"),
        ('template = "arcface"', "template = [[1, 2], [1, 2], [1, 2], [1, 2], [1, [2]]]", "a list of five points"),
        ('template = "arcface"', 'template = "box"', "go together"),
        ("long_side = 1000", "long_side = 10000000000", "a whole number from 32"),
        ("factor = 0.709", "factor = {}", "is no setting"),
        ("factor = 0.709", "factor = nan", "is no setting"),
        ("factor = 0.709", f"factor = {'[' * 500}{']' * 500}", "not a usable"),
        ("[detector]", 'file = "x"\n[detector]', "not a usable"),
        ("", "\x00", "not a usable"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    path = tmp_path / "pack.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(PackError) as failure:
        read_manifest(path)
    said = str(failure.value)
    assert words in said and said.startswith(f"{path}: ") and said.isprintable() and failure.value.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('member = "in/m.onnx"', 'member = "../m.onnx"', "a path in the archive"),
        ('member = "in/m.onnx"', 'member = "/m.onnx"', "a path in the archive"),
        ('all.zip"\nmember', 'other.zip"\nmember', "that of no [[archive]]"),
        ('all.zip"\nsha256', 'a/"\nsha256', "is no name of a file"),
    ],
)
def test_what_is_wrong_of_an_archive_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in ZIPPED
    path = tmp_path / "pack.toml"
    path.write_text(ZIPPED.replace(old, new, 1))
    with pytest.raises(PackError) as failure:
        read_manifest(path)
    assert words in str(failure.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a" * 1_100_000, b"", b"[" * 100_000])
def test_what_is_no_manifest_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pack.toml"
    path.write_bytes(content)
    with pytest.raises(PackError, match="not a usable pack manifest"):
        read_manifest(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def _places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for key, one in value.items() for place in _places(one, (*path, key))]
    if isinstance(value, list):
        found += [place for number, one in enumerate(value) for place in _places(one, (*path, number))]
    return found


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=VALUES)
def test_any_value_anywhere_is_read_or_refused(data: st.DataObject, value: object) -> None:
    """No value in any place of a manifest is met by another error than ValueError or TypeError,
    which become a PackError."""
    from faceclust.packs import manifest
    from faceclust.packs.toml_table import TomlTable

    raw = tomllib.loads(ZIPPED)
    *way, last = data.draw(st.sampled_from(_places(raw)))
    place: object = raw
    for step in way:
        place = place[step]  # type: ignore[index]
    place[last] = value  # type: ignore[index]
    try:
        manifest._parse_pack(TomlTable(raw, "the manifest"), Path("/nowhere"))
    except (ValueError, TypeError, OverflowError) as error:
        assert str(error)


def test_a_pack_in_the_users_folder_is_what_it_is_called() -> None:
    put_in(GOOD.replace('name = "mine"', 'name = "other"'))
    with pytest.raises(PackError, match="the name is 'other', expected"):
        load_pack("mine")
    put_in(GOOD.replace("commercial = true", "commercial = true\nembedded = true"))
    with pytest.raises(PackError, match="comes with the program"):
        load_pack("mine")


def test_nobody_can_pass_for_the_embedded_pack() -> None:
    put_in(GOOD.replace('name = "mine"', 'name = "dlib"'), "dlib")
    assert load_pack("dlib").embedded and load_pack("dlib").title != "A pack of a test"


def test_the_users_own_goes_before_the_one_that_came() -> None:
    assert load_pack("sface").title != "A pack of a test"
    put_in(GOOD.replace('name = "mine"', 'name = "sface"'), "sface")
    assert load_pack("sface").title == "A pack of a test"
    assert pack_names().count("sface") == 1
