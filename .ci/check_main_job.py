"""Check that the main job grouped the right faces, by the files it left in the given folder."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

work = Path(sys.argv[1])
groups: dict[str, set[str]] = defaultdict(set)
with (work / "faces.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))
for row in rows:
    if not row["photo"].startswith("together/"):
        groups[row["cluster"]].add(Path(row["photo"]).stem.split("-")[0])
shared: dict[str, set[str]] = defaultdict(set)
for row in rows:
    if row["photo"].startswith("together/"):
        shared[row["photo"]].add(row["cluster"])

assert sorted(map(sorted, groups.values())) == [["collins"], ["hopper"]], groups
assert len(shared) == 2 and all(clusters == set(groups) for clusters in shared.values()), shared
assert len(rows) == 10, len(rows)
report = (work / "faceclust-report.html").read_text()
assert report.count("data:image/jpeg") >= 10 and "Somebody" in report
assert all(quote(row["photo"]) in report for row in rows)
assert "10 faces" in (work / "faceclust-map.html").read_text()
assert len(list((work / "People/Somebody").iterdir())) == 5
print("10 faces, 2 groups: each person in one group, each group one person")
