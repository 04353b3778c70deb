"""Network disks, by the kernel's list of mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust.watch.network_disks import find_network_disk

MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:40 / /mnt/nas rw - nfs4 nas:/export rw,vers=4.2
31 21 0:41 / /mnt/with\040space rw - cifs //server/share rw
32 21 8:2 / /mnt/nas/local rw - xfs /dev/sdb1 rw
33 21 0:42 / /home/anna/phone rw - fuse.sshfs phone:/ rw
34 21 8:3 / /mnt/windows rw - fuseblk /dev/sdc1 rw
35 21 0:43 / /mnt/hidden rw - nfs nas:/old rw
36 35 8:4 / /mnt/hidden rw - ext4 /dev/sdd1 rw
37 21 0:44 / /wsl rw - 9p C:\134 rw
not a mount at all
38 21 -
"""


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("/home/ben/Pictures", None),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/photos", "nfs4"),
        ("/mnt/nasty", None),
        ("/mnt/nas/local/photos", None),
        ("/mnt/with space/photos", "cifs"),
        ("/home/anna/phone", "fuse.sshfs"),
        ("/home/anna", "fuse.sshfs"),  # mounted in the library
        ("/mnt/windows", None),
        ("/mnt/hidden/photos", None),
        ("/wsl/c", "9p"),
    ],
)
def test_the_mount_around_or_in_the_root_decides(tmp_path: Path, root: str, expected: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert find_network_disk(Path(root), mounts) == expected


def test_a_system_without_a_list_of_mounts_has_events(tmp_path: Path) -> None:
    assert find_network_disk(tmp_path, tmp_path / "missing") is None


def test_the_list_of_this_machine_is_read(tmp_path: Path) -> None:
    assert find_network_disk(Path("/proc")) is None
