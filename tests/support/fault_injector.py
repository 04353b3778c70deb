"""Make calls on files below a folder fail, or kill the process there, through a preloaded C library.

The library is compiled with the system's C compiler. `run_with_injector` starts a process that preloads
it, and `FaultInjector` arms it there, for one process group.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import Path

from tests.support.programs import find_program

_SOURCE = Path(__file__).with_suffix(".c")
_TREE = Path(__file__).parents[2]
_CONTROL_VARIABLE = "FAULT_CONTROL"


class Call(IntFlag):
    """Kinds of calls, as in fault_injector.c."""

    OPEN = 1
    READ = 2
    STAT = 4
    LIST = 8
    CREATE = 16
    WRITE = 32
    TRUNCATE = 64
    SYNC = 128
    RENAME = 256
    REMOVE = 512
    ATTRIBUTE = 1024
    STEP = 2048


class Action(IntEnum):
    """What happens at the Nth call. Half-way through differs from "before" only for writes."""

    FAIL = 0
    KILL_BEFORE = 1
    KILL_AFTER = 2
    KILL_HALF_WAY = 3


@dataclass(frozen=True)
class Fault:
    """A kind of fault: these calls fail with `error`, or kill. `persists`: all later calls fail, too."""

    calls: Call
    action: Action = Action.FAIL
    error: int = 0
    persists: bool = False


class _Control(ctypes.Structure):
    """`struct control` of fault_injector.c."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("group", "kinds", "nth", "action", "error", "persists", "count")),
        ("counts", ctypes.c_int * len(Call)),
        ("hits", ctypes.c_int),
        ("folder", ctypes.c_char * 512),
        ("call", ctypes.c_char * 64),
        ("path", ctypes.c_char * 1024),
    )


def run_with_injector(
    folder: Path, module: str, *arguments: str, capture: bool = True
) -> subprocess.CompletedProcess[str]:
    """Compile the library into `folder`, and run a Python module in a process that preloads it.

    Skips the test if there is no C compiler.
    """
    library, control = folder / "fault_injector.so", folder / "control"
    compiler = [find_program("cc"), "-O1", "-shared", "-fPIC", "-Wno-nonnull-compare"]
    subprocess.run([*compiler, "-o", library, _SOURCE, "-ldl"], check=True)
    control.write_bytes(bytes(ctypes.sizeof(_Control)))
    variables = {"LD_PRELOAD": str(library), _CONTROL_VARIABLE: str(control), "PYTHONPATH": str(_TREE)}
    # Threads of linear algebra would wait for each other actively, on a machine that has other work.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | variables | threads,
        capture_output=capture,
        text=True,
        check=False,
    )


class FaultInjector:
    """Controls the library that this process has preloaded, for calls on files below `folder`."""

    def __init__(self, folder: Path) -> None:
        with open(os.environ[_CONTROL_VARIABLE], "r+b") as stream:
            self._control = _Control.from_buffer(mmap.mmap(stream.fileno(), 0))
        self._control.folder = os.fsencode(folder)

    def arm(self, fault: Fault, nth: int) -> None:
        """Let the Nth call of this process fail, and put the process into a group of its own.

        0 counts the calls only. Its child processes count together with it.
        """
        os.setsid()
        control = self._control
        control.kinds, control.nth, control.action = fault.calls, nth, fault.action
        control.error, control.persists = fault.error, fault.persists
        control.count = control.hits = 0
        control.counts = type(control.counts)()
        control.group = os.getpid()

    def disarm(self) -> None:
        """Affect no process from now on."""
        self._control.group = 0

    @property
    def counts(self) -> dict[Call, int]:
        """The calls since the injector was armed, by kind."""
        return dict(zip(Call, self._control.counts, strict=True))

    @property
    def hit(self) -> str:
        """The first call that failed or killed, with its path; "" if there was none."""
        control = self._control
        return f"{control.call.decode()} {os.fsdecode(control.path)}" if control.hits else ""
