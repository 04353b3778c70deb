"""`faceclust models use`: the pack of a library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.packs.registry import user_models_folder
from faceclust.store.settings import pack_in_use, user_config_file
from tests.support.command import run, run_checked
from tests.support.pack_scenarios import install_other_detector
from tests.support.sample_photos import COLLINS


def test_without_a_name_it_shows_the_pack_in_use_and_the_file_that_sets_it(library: Library, tmp_path: Path) -> None:
    install_other_detector()
    assert (
        run_checked("models", "use", cwd=tmp_path)
        == "mobilefacenet: MTCNN detector, MobileFaceNet embedder\nthe default: no configuration file sets a pack\n"
    )
    run_checked("models", "use", "second", "--default")
    assert user_config_file().read_text() == 'pack = "second"\n'
    assert f"set in {user_config_file()}" in run_checked("models", "use", "-l", library.root)
    assert run_checked("models", "use", "--default", cwd=tmp_path).startswith("second:")
    run_checked("models", "use", "mobilefacenet", "-l", library.root)
    found = json.loads(run_checked("models", "use", "-l", library.root, "--json"))
    assert (
        found["pack"] == "mobilefacenet"
        and found["file"] == str(library.home.home / "config.toml")
        and not found["problem"]
    )
    output = run_checked("config", "-l", library.root)
    assert (
        'pack = "mobilefacenet"  # library' in output
        and json.loads(run_checked("config", "--json"))["pack"] == "second"
    )


@pytest.mark.slow
def test_switch_reports_its_cost_and_the_way_back(library: Library) -> None:
    library.name(library.faces_in_group(1), COLLINS)
    install_other_detector()
    output = run_checked("models", "use", "second", "-l", library.root)
    assert output.startswith("this library now uses second: ")
    assert (
        "11 of 11 photos will be rescanned with second, in about 5 seconds (estimated from 6); next: faceclust scan"
        in output
    )
    assert (
        "names and the faces found with mobilefacenet are kept; to go back: faceclust models use mobilefacenet"
        in output
    )
    done = run("people", "-l", library.root)
    assert done.returncode == 1 and "with the pack second yet" in done.stderr and "Traceback" not in done.stderr
    assert "11 scanned" in run_checked("scan", library.root, "-j", "1")
    done = run("people", "-l", library.root)
    assert COLLINS in done.stdout and "the groups were made with mobilefacenet" in done.stderr
    assert "the groups were made with mobilefacenet" in run_checked("status", "-l", library.root)
    run_checked("cluster", "-l", library.root)
    assert "mobilefacenet" not in run("people", "-l", library.root).stderr
    assert "models: second" in run_checked("status", "-l", library.root)
    assert "all photos are scanned with mobilefacenet already" in run_checked(
        "models", "use", "mobilefacenet", "-l", library.root
    )
    assert "11 unchanged" in run_checked("scan", library.root)


def test_a_pack_is_chosen_before_the_first_scan(library: Library, tmp_path: Path) -> None:
    install_other_detector()
    (tmp_path / "new").mkdir()
    done = run("models", "use", "second", "-l", tmp_path / "new")
    assert done.returncode == 0 and f"next: faceclust scan {tmp_path / 'new'}" in done.stdout
    assert run_checked("models", "use", "-l", tmp_path / "new").startswith("second: ")
    assert pack_in_use(tmp_path / "new").value == "second" and pack_in_use(library.root).value == "mobilefacenet"
    assert "the default pack is now second" in run_checked("models", "use", "second")  # no library is known
    assert pack_in_use().value == "second"


def test_unusable_pack_gets_one_line(library: Library) -> None:
    folder = install_other_detector()

    def expect_error(*arguments: str | Path) -> str:
        done = run(*arguments)
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr and "a bug in" not in done.stderr
        return done.stderr

    assert "no model pack called 'nope'" in expect_error("models", "use", "nope", "-l", library.root)
    assert "leave one of them out" in expect_error("models", "use", "mobilefacenet", "--default", "-l", library.root)
    (library.root / "2019/part").mkdir()
    assert f"a part of the library {library.root}" in expect_error(
        "models", "use", "second", "-l", library.root / "2019/part"
    )
    (folder / "dlib_resnet.onnx").write_bytes(b"damaged")
    error = expect_error("models", "use", "second", "-l", library.root)
    assert "is damaged" in error and "faceclust models add" in error
    assert not (library.home.home / "config.toml").exists()
    shutil.rmtree(user_models_folder())
    (library.home.home / "config.toml").write_text('pack = "second"')
    photo = library.root / "2019/collins-0.jpg"
    for arguments in (["scan", library.root], ["identify", photo], ["people"], ["models", "use"], ["status"]):
        rest = [] if arguments[0] == "scan" else ["-l", library.root]
        error = expect_error(*arguments, *rest)
        assert "config.toml: pack = 'second'" in error and "faceclust models use" in error, arguments
    assert "pack = 'second'" in run("doctor", "-l", library.root).stdout
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text('pack = "second"')
    done = run("verify", photo, photo)
    assert done.returncode == 2 and str(user_config_file()) in done.stderr
    assert run_checked("--no-config", "verify", photo, photo).startswith("same person")
    user_config_file().write_text("pack = 7")
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "pack = 7 is not a pack name" in done.stderr
    run_checked("models", "use", "mobilefacenet", "--default")
    assert user_config_file().read_text() == 'pack = "mobilefacenet"'


def test_verify_outside_a_library_uses_the_default_pack(library: Library) -> None:
    install_other_detector()
    pair = [library.root / "2019/collins-0.jpg", library.root / "2020/collins-1.jpg"]
    before = json.loads(run_checked("verify", *pair, "--json"))["distance"]
    run_checked("models", "use", "second", "--default")
    after = json.loads(run_checked("verify", *pair, "--json"))["distance"]
    assert before != pytest.approx(after, abs=1e-4)
