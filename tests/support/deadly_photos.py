"""Photos that crash, kill or hang whatever process decodes them."""

from __future__ import annotations

from pathlib import Path

_ACTIONS = {
    "crashes": "os.abort()",
    "is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "time.sleep(600)",
    "takes memory": "raise MemoryError",
}


def write_patch(folder: Path) -> None:
    """Write a `sitecustomize` module: Pillow does as the photos say in processes that have the folder in PYTHONPATH."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os, signal, time\n"
        "from PIL import Image\n"
        "original = Image.open\n"
        "def open(fp, *args, **kwargs):\n"
        "    content = fp.getvalue() if hasattr(fp, 'getvalue') else b''\n"
        + "".join(f"    if content.endswith({action.encode()!r}): {code}\n" for action, code in _ACTIONS.items())
        + "    return original(fp, *args, **kwargs)\n"
        "Image.open = open\n"
    )


def write_deadly_photo(root: Path, action: str) -> str:
    """Write a photo named after what happens to its process, one of `_ACTIONS`. Return its name."""
    assert action in _ACTIONS
    (root / f"{action}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + action.encode())
    return f"{action}.jpg"
