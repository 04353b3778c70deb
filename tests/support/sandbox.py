"""A folder to run commands in, beside a victim folder whose files no command may read, change or show.

inotify reports every file or folder of the victim that is opened, from Python and C alike. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
from pathlib import Path

#: The text in the victim's files. Its period of three bytes gives base64 a period too, at every offset.
CANARY = "Cny" * 12
_BASE64_CANARIES = (b"Q255" * 5, b"bnlD" * 5, b"eUNu" * 5)  # of "Cny", "nyC" and "yCn"
_CANARIES = (CANARY[:18].encode(), *_BASE64_CANARIES)

_EVENTS = {
    0x1: "read",
    0x2: "modified",
    0x4: "attributes changed",
    0x20: "opened",
    0x40: "moved away",
    0x80: "moved in",
    0x100: "created",
    0x200: "deleted",
    0x400: "deleted",
}
_EVENT_HEADER = struct.Struct("iIII")


class OpenDetector:
    """Lists what was opened or changed below a folder since the last call."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._paths: dict[int, str] = {}
        for path in [folder, *folder.rglob("*")]:
            number = self._libc.inotify_add_watch(self._file, os.fsencode(path), sum(_EVENTS))
            if number < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
            self._paths[number] = path.relative_to(folder.parent).as_posix()
        self.list_events()

    def list_events(self) -> set[str]:
        """Return the events as "PATH was opened"; empty if nothing happened."""
        events = set()
        while data := self._read():
            at = 0
            while at < len(data):
                number, mask, _, length = _EVENT_HEADER.unpack_from(data, at)
                name = data[at + _EVENT_HEADER.size :][:length].rstrip(b"\0").decode(errors="replace")
                at += _EVENT_HEADER.size + length
                path = self._paths.get(number, "?") + (f"/{name}" if name else "")
                events |= {f"{path} was {text}" for bit, text in _EVENTS.items() if mask & bit}
        return events

    def close(self) -> None:
        os.close(self._file)

    def _read(self) -> bytes:
        try:
            return os.read(self._file, 1 << 16)
        except BlockingIOError:
            return b""


class Sandbox:
    """The folders of a run. `library` and `out` are what commands may write, `user` is the user's home.

    `victim` holds whatever a link can lead to: secrets, and a copy of a library with its files.
    `linked` holds the files that hard links lead to. They may be read, but not changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library, self.out, self.user = folder / "library", folder / "out", folder / "user"
        self.victim, self.linked = folder / "victim", folder / "linked"
        self._base = folder / "base"
        self._detector: OpenDetector | None = None
        self._linked_before: dict[str, tuple[int, int, int]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make `user` the home, and `out` the place of temporary files."""
        names = ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME")
        return {**dict.fromkeys(names, str(self.user)), "TMPDIR": str(self.out), "TERM": "xterm-256color"}

    def keep_as_base(self) -> None:
        """Keep the present library, outputs and home as what `reset` restores; make the victim of them."""
        for folder in (self.library, self.out, self.user):
            shutil.copytree(folder, self._base / folder.name, symlinks=True)
        self._make_victim()

    def reset(self) -> None:
        """Restore the library, the outputs and the home, and the victim if it was changed."""
        for folder in (self.library, self.out, self.user):
            _remove(folder)
            shutil.copytree(self._base / folder.name, folder, symlinks=True)
        if self.find_changes():
            self._make_victim()

    def find_changes(self) -> set[str]:
        """Describe what was read or changed outside of the library, the outputs and the home."""
        found = self._detector.list_events() if self._detector else set()
        after = self._status_of_linked()
        for path in self._linked_before.keys() | after.keys():
            if (before := self._linked_before.get(path)) != (now := after.get(path)):
                found.add(f"{path} has changed: {before} → {now} (mode, size, time)")
        known = {"base", "library", "linked", "out", "user", "victim"}
        return found | {f"{name} was made beside the library" for name in set(os.listdir(self.folder)) - known}

    def find_canaries(self) -> set[str]:
        """Return the files in the outputs, the library and the home that contain the victim's text."""
        found = set()
        for folder in (self.out, self.library, self.user):
            for path, _, names in os.walk(folder):
                for name in names:
                    file = Path(path, name)
                    status = file.lstat()
                    is_own = (status.st_mode & 0o170000) == 0o100000 and status.st_nlink == 1
                    if is_own and status.st_size < 1 << 25 and contains_canary(file.read_bytes()):
                        found.add(file.relative_to(self.folder).as_posix())
        return found

    def close(self) -> None:
        if self._detector:
            self._detector.close()

    def _make_victim(self) -> None:
        self.close()
        for folder in (self.victim, self.linked):
            _remove(folder)
        library = self.victim / "library"
        shutil.copytree(self._base / "library", library, symlinks=True)
        shutil.copytree(self._base / "out", self.victim / "out", symlinks=True)
        secrets = {
            ".bashrc": f"# {CANARY}\nexport PATH\n",
            "id_rsa": f"-----BEGIN {CANARY}-----\n",
            "no-newline": f"first line\n{CANARY}",
            "notes.tmp": CANARY,
            "notes.torn": CANARY,
            "set-aside/keep.parquet": CANARY,
            "folders/2019/.faceclust.mobilefacenet.parquet": CANARY,
            "ab/keep.jpg": CANARY,
            "table.csv": f"photo,left,top,right,bottom,name\n2019/collins-0.jpg,0,0,1,1,{CANARY}\n",
            "picasa.ini": f"[Contacts2]\nabc={CANARY};;\n",
            "config.toml": f'layout = "{CANARY}"\n',
            "list.json": f'["{CANARY}"]',
        }
        for folder in (self.victim, self.linked):
            for name, text in secrets.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                # The text of a file with several links may be read, and shown.
                (folder / name).write_text(text if folder == self.victim else text.replace(CANARY, "linked"))
        for photo in [*library.rglob("*.jpg"), *library.rglob("*.png"), *library.rglob("*.webp")]:
            with photo.open("ab") as stream:  # decoders ignore what follows a photo
                stream.write(CANARY.encode())
        (self.victim / "id_rsa").chmod(0o600)
        self._linked_before = self._status_of_linked()
        self._detector = OpenDetector(self.victim)

    def _status_of_linked(self) -> dict[str, tuple[int, int, int]]:
        """Map each file to its mode, size and modification time."""
        status = {path.relative_to(self.folder).as_posix(): path.lstat() for path in self.linked.rglob("*")}
        return {path: (found.st_mode, found.st_size, found.st_mtime_ns) for path, found in status.items()}


def contains_canary(data: bytes) -> bool:
    return any(canary in data for canary in _CANARIES)


def _remove(path: Path) -> None:
    """Remove a folder, or whatever took its place."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
