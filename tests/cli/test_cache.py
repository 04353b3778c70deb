"""The commands `faceclust cache check`, `prune` and `clear`."""

from __future__ import annotations

import json

from faceclust import Library
from tests.support.command import run, run_checked


def test_check_prune_and_clear(library: Library) -> None:
    root = library.root
    library.name(library.faces_in_group(1), "Anna")
    assert json.loads(run_checked("cache", "check", "--json", "-l", root))["problems"] == []
    (root / "2019/collins-0.jpg").unlink()
    cache = root / "2020/.faceclust.mobilefacenet.parquet"
    cache.write_bytes(b"damaged")
    done = run("cache", "check", "-l", root)
    assert done.returncode == 1 and "1 problem" in done.stdout and "1 photo deleted" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if str(cache) in line]
    assert "faceclust scan" in line
    dry = json.loads(run_checked("cache", "prune", "-n", "--json", "-l", root))
    assert (
        dry["photos"] == {str(root / "2019/.faceclust.mobilefacenet.parquet"): ["collins-0.jpg"]} and not dry["written"]
    )
    assert f"freed {dry['bytes']:,} bytes" in run_checked("cache", "prune", "-l", root)
    assert "nothing to prune" in run_checked("cache", "prune", "-l", root)
    unanswered = run("cache", "clear", "-l", root)
    assert unanswered.returncode == 1 and "nothing was deleted" in unanswered.stdout and cache.exists()
    output = run_checked("cache", "clear", "--yes", "-l", root)
    assert "folder caches" in output and "people.jsonl" in output and not cache.exists()
