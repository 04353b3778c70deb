"""Reads a pickle without running any of it.

A pickle is a program, and Python's own reader does what it says. Here only the instructions that build
lists, tuples, bytes and truth values are carried out. Of the functions that a pickle may name, the few
by which arrays of bytes and of truth values, and the bytes of old protocols, are written stand for
what they would make; none is called, nor looked up.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

#: How the instructions that hold a value of their own are called, in all protocols.
_VALUE_OPCODES = frozenset(
    "NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 STRING "
    "BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE NONE".split()
)
_PYTHON2_STRING_OPCODES = frozenset(["STRING", "BINSTRING", "SHORT_BINSTRING"])  # bytes, as Python 2 calls them
_PUT_OPCODES = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
_GET_OPCODES = frozenset(["GET", "BINGET", "LONG_BINGET"])
_TUPLE_SIZES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED_OPCODES = frozenset(["PROTO", "FRAME"])
_MARK = object()


class UnsafePickleError(ValueError):
    """The pickle holds something else than lists, tuples, bytes and truth values, or is broken."""


@dataclass(frozen=True)
class _GlobalName:
    """Something a pickle names; it stands for nothing but itself."""

    name: str


class _Stack(list[Any]):
    """The values at hand, and how many bytes may still be made of those in the file: a pickle can
    recall a value of millions of bytes in three, and have something made of it each time."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._bytes_left = room

    def reserve_bytes(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise UnsafePickleError("it makes more of its bytes than it holds")


@dataclass
class _NumpyObject:
    """What a numpy pickle makes, as it says it: of which kind, from what, with which state."""

    kind: str
    arguments: tuple[Any, ...]
    state: Any = field(default=None)


def read_pickle(data: bytes) -> Any:
    """What a pickle holds: lists, tuples, bytes, bools, ints and None only; arrays of truth values and
    of bytes come as lists of bools and as bytes. Raises UnsafePickleError for anything else."""
    stack = _Stack(len(data))
    memo: dict[int, Any] = {}
    try:
        for instruction, argument, _ in pickletools.genops(io.BytesIO(data)):
            if instruction.name == "STOP":
                (value,) = stack
                return tuple(_unwrap_arrays(value, stack)) if isinstance(value, tuple) else _unwrap_array(value, stack)
            _execute_opcode(instruction.name, argument, stack, memo)
    except UnsafePickleError:
        raise
    except (RecursionError, MemoryError) as error:
        raise UnsafePickleError("it is nested too deep, or too large") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnsafePickleError(f"it is broken ({error})") from error
    raise UnsafePickleError("it is broken (it has no end)")


def _execute_opcode(name: str, argument: Any, stack: _Stack, memo: dict[int, Any]) -> None:
    if name in _VALUE_OPCODES:
        stack.append(_literal_value(name, argument))
    elif name in _PUT_OPCODES or name == "MEMOIZE":
        memo[len(memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
    elif name in _GET_OPCODES:
        stack.append(memo[int(argument)])
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name in _TUPLE_SIZES:
        stack.append(tuple(_pop_values(stack, _TUPLE_SIZES[name])))
    elif name in ("LIST", "TUPLE"):
        values = _pop_to_mark(stack)
        stack.append(_unwrap_arrays(values, stack) if name == "LIST" else tuple(values))
    elif name in ("APPEND", "APPENDS"):
        values = [stack.pop()] if name == "APPEND" else _pop_to_mark(stack)
        if not isinstance(stack[-1], list):
            raise UnsafePickleError("it appends to what is no list")
        stack[-1].extend(_unwrap_arrays(values, stack))
    elif name == "GLOBAL":
        stack.append(_allowed_global(*argument.split(" ", 1)))
    elif name == "STACK_GLOBAL":
        stack.append(_allowed_global(*_pop_values(stack, 2)))
    elif name == "REDUCE":
        function, arguments = _pop_values(stack, 2)
        stack.append(_build_object(function, arguments, stack))
    elif name == "BUILD":
        state = stack.pop()
        if not isinstance(stack[-1], _NumpyObject):
            raise UnsafePickleError("it gives a state to what has none")
        stack[-1].state = state
    elif name not in _IGNORED_OPCODES:
        raise UnsafePickleError(f"it holds more than lists, bytes and truth values ({name})")


def _literal_value(name: str, argument: Any) -> Any:
    if name in ("NEWTRUE", "NEWFALSE"):
        return name == "NEWTRUE"
    if name in _PYTHON2_STRING_OPCODES:
        return argument.encode("latin-1")
    return bytes(argument) if name == "BYTEARRAY8" else argument


def _pop_values(stack: list[Any], count: int) -> list[Any]:
    """The last values on the stack, taken off."""
    if count > len(stack) or any(value is _MARK for value in stack[len(stack) - count :]):
        raise UnsafePickleError("it is broken (too few values)")
    values = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return values


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1
    while stack[at] is not _MARK:  # below the first there is none: IndexError
        at -= 1
        if at < 0:
            raise UnsafePickleError("it is broken (no mark)")
    values = stack[at + 1 :]
    del stack[at:]
    return values


def _encode_latin1(text: Any, _: Any) -> bytes:
    if not isinstance(text, str):
        raise UnsafePickleError("it encodes what is no text")
    return text.encode("latin-1")


def _allowed_global(module: Any, name: Any) -> _GlobalName:
    if not isinstance(module, str) or not isinstance(name, str):  # nested tuples take for ever to write out
        raise UnsafePickleError("it asks for something whose name is no text")
    full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
    if full not in _ALLOWED_GLOBALS:
        raise UnsafePickleError(f"it asks for {ascii(full[:60])[1:-1]}, which is not allowed")
    return _GlobalName(full)


def _build_object(function: Any, arguments: Any, stack: _Stack) -> Any:
    if not isinstance(function, _GlobalName) or not isinstance(arguments, tuple):
        raise UnsafePickleError("it calls what is no function")
    if function.name == "_codecs.encode":
        stack.reserve_bytes(len(arguments[0]))
    return _ALLOWED_GLOBALS[function.name](*arguments)


def _read_scalar(kind: Any, data: Any) -> Any:
    if not isinstance(data, bytes) or len(data) != 1:
        raise UnsafePickleError("it holds a value that is not one byte")
    (value,) = _decode_array(kind, data)
    return value


def _decode_array(kind: Any, data: Any) -> Any:
    """An array's values: bytes as they are, truth values as a list."""
    code = kind.arguments[0] if isinstance(kind, _NumpyObject) and kind.kind == "dtype" else None
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if not isinstance(data, bytes) or code not in ("b1", "u1", "?", "B"):
        raise UnsafePickleError("it holds an array of something else than bytes or truth values")
    return [value != 0 for value in data] if code in ("b1", "?") else data


def _unwrap_arrays(values: Iterable[Any], stack: _Stack) -> list[Any]:
    return [_unwrap_array(value, stack) for value in values]


def _unwrap_array(value: Any, stack: _Stack) -> Any:
    """An array as its values; whatever else as it is."""
    if not isinstance(value, _NumpyObject):
        return value
    if value.kind == "buffer":
        data, kind, *_ = value.arguments
    elif value.kind == "array" and isinstance(value.state, tuple):
        _, _, kind, _, data = value.state
    else:
        raise UnsafePickleError("it holds an array that is not whole")
    if isinstance(data, bytes):
        stack.reserve_bytes(len(data))
    return _decode_array(kind, data)


def _numpy_factory(kind: str) -> Callable[..., Any]:
    return lambda *arguments: _NumpyObject(kind, arguments)


#: What a pickle may name, and what stands for it here.
_ALLOWED_GLOBALS: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encode_latin1,
    "numpy.ndarray": _numpy_factory("never"),
    "numpy.dtype": _numpy_factory("dtype"),
    "numpy.core.multiarray._reconstruct": _numpy_factory("array"),
    "numpy.core.numeric._frombuffer": _numpy_factory("buffer"),
    "numpy.core.multiarray.scalar": _read_scalar,
}
