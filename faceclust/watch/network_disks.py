"""Recognise disks without change events for changes made by other machines."""

from __future__ import annotations

import re
from pathlib import Path

#: File systems of Linux that other machines, or the host of a virtual one, write to. All of FUSE counts too.
_NETWORK_TYPES = frozenset(
    "9p afs beegfs ceph cifs coda davfs drvfs gfs2 glusterfs lustre ncpfs nfs nfs4 ocfs2 prl_fs smb3 smbfs vboxsf "
    "virtiofs vmhgfs".split()
)
_MOUNTS = Path("/proc/self/mountinfo")


def find_network_disk(root: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the type of the network file system that the folder lies on, or that is mounted in it; None if local.

    `mounts`: the kernel's list of mounts (proc_pid_mountinfo(5)). None also on systems without that list.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    types: dict[Path, str] = {}
    for line in lines:
        fields, _, rest = line.partition(" - ")
        if rest and len(words := fields.split(" ")) > 4:
            types[_unescape(words[4])] = rest.split(" ")[0]  # a later mount hides an earlier one
    around = max(
        (point for point in types if root.is_relative_to(point)), key=lambda point: len(point.parts), default=None
    )
    relevant = [types[point] for point in types if point == around or point.is_relative_to(root)]
    return next((one for one in relevant if one in _NETWORK_TYPES or re.match(r"fuse(\.|$)", one)), None)


def _unescape(path: str) -> Path:
    return Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path))
