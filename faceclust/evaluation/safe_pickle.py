"""A pickle reader that executes nothing.

A pickle is a program, and Python's own reader runs it. This one carries out only the opcodes that build
lists, tuples, bytes and booleans. A pickle may name a few functions: those that write numpy arrays of
bytes and booleans, and the bytes of old protocols. Stand-ins replace them; none is imported or called.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

#: The opcodes that carry a value, in all protocols.
_VALUE_OPCODES = frozenset(
    "NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 STRING "
    "BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE NONE".split()
)
_PYTHON2_STRING_OPCODES = frozenset(["STRING", "BINSTRING", "SHORT_BINSTRING"])  # bytes in Python 2
_PUT_OPCODES = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
_GET_OPCODES = frozenset(["GET", "BINGET", "LONG_BINGET"])
_TUPLE_SIZES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED_OPCODES = frozenset(["PROTO", "FRAME"])
_MARK = object()


class UnsafePickleError(ValueError):
    """The pickle is broken, or holds more than lists, tuples, bytes and booleans."""


@dataclass(frozen=True)
class _GlobalName:
    """A function or class that a pickle names; it is never looked up."""

    name: str


class _Stack(list[Any]):
    """The stack of values, with a budget for decoded bytes.

    An opcode of three bytes can recall a value of millions of bytes and have it decoded again. The
    budget is the size of the pickle.
    """

    def __init__(self, budget: int) -> None:
        super().__init__()
        self._bytes_left = budget

    def reserve_bytes(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise UnsafePickleError("it decodes more bytes than it holds")


@dataclass
class _NumpyObject:
    """A numpy object in construction: its kind, arguments and state."""

    kind: str
    arguments: tuple[Any, ...]
    state: Any = field(default=None)


def read_pickle(data: bytes) -> Any:
    """Read a pickle of lists, tuples, bytes, texts, bools, ints and None.

    Arrays of booleans become lists of bools, arrays of bytes become bytes. Raises UnsafePickleError for
    anything else.
    """
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # for invalid escapes in texts
        return _run_opcodes(data)


def _run_opcodes(data: bytes) -> Any:
    stack = _Stack(len(data))
    memo: dict[int, Any] = {}
    try:
        for instruction, argument, _ in pickletools.genops(io.BytesIO(data)):
            if instruction.name == "STOP":
                (value,) = stack
                value = tuple(_unwrap_arrays(value, stack)) if isinstance(value, tuple) else _unwrap_array(value, stack)
                _require_plain_values(value)
                return value
            _execute_opcode(instruction.name, argument, stack, memo)
    except UnsafePickleError:
        raise
    except (RecursionError, MemoryError) as error:
        raise UnsafePickleError("it is nested too deeply, or too large") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnsafePickleError(f"it is broken ({error})") from error
    raise UnsafePickleError("it is broken (no end)")


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
            raise UnsafePickleError("it appends to something other than a list")
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
            raise UnsafePickleError("it sets the state of an object without one")
        stack[-1].state = state
    elif name not in _IGNORED_OPCODES:
        raise UnsafePickleError(f"it holds more than lists, bytes and booleans ({name})")


def _literal_value(name: str, argument: Any) -> Any:
    if name in ("NEWTRUE", "NEWFALSE"):
        return name == "NEWTRUE"
    if name in _PYTHON2_STRING_OPCODES:
        return argument.encode("latin-1")
    return bytes(argument) if name == "BYTEARRAY8" else argument


def _pop_values(stack: list[Any], count: int) -> list[Any]:
    """Pop the last values from the stack. Raises UnsafePickleError if there are too few."""
    if count > len(stack) or any(value is _MARK for value in stack[len(stack) - count :]):
        raise UnsafePickleError("it is broken (too few values)")
    values = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return values


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1
    while stack[at] is not _MARK:
        at -= 1
        if at < 0:
            raise UnsafePickleError("it is broken (no mark)")
    values = stack[at + 1 :]
    del stack[at:]
    return values


def _encode_latin1(text: Any, _: Any) -> bytes:
    if not isinstance(text, str):
        raise UnsafePickleError("it encodes something other than text")
    return text.encode("latin-1")


def _allowed_global(module: Any, name: Any) -> _GlobalName:
    if not isinstance(module, str) or not isinstance(name, str):  # nested tuples would take forever to print
        raise UnsafePickleError("it names something other than by text")
    full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
    if full not in _ALLOWED_GLOBALS:
        raise UnsafePickleError(f"it names {ascii(full[:60])[1:-1]}, which is not allowed")
    return _GlobalName(full)


def _build_object(function: Any, arguments: Any, stack: _Stack) -> Any:
    if not isinstance(function, _GlobalName) or not isinstance(arguments, tuple):
        raise UnsafePickleError("it calls something other than a function")
    if function.name == "_codecs.encode":
        stack.reserve_bytes(len(arguments[0]))
    return _ALLOWED_GLOBALS[function.name](*arguments)


def _read_scalar(kind: Any, data: Any) -> Any:
    if not isinstance(data, bytes) or len(data) != 1:
        raise UnsafePickleError("it holds a scalar of more than one byte")
    (value,) = _decode_array(kind, data)
    return value


def _decode_array(kind: Any, data: Any) -> Any:
    """The values of an array: bytes unchanged, booleans as a list."""
    code = kind.arguments[0] if isinstance(kind, _NumpyObject) and kind.kind == "dtype" else None
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if not isinstance(data, bytes) or code not in ("b1", "u1", "?", "B"):
        raise UnsafePickleError("it holds an array of something other than bytes or booleans")
    return [value != 0 for value in data] if code in ("b1", "?") else data


def _unwrap_arrays(values: Iterable[Any], stack: _Stack) -> list[Any]:
    return [_unwrap_array(value, stack) for value in values]


def _unwrap_array(value: Any, stack: _Stack) -> Any:
    """The values of an array; anything else unchanged."""
    if not isinstance(value, _NumpyObject):
        return value
    if value.kind == "buffer":
        data, kind, *_ = value.arguments
    elif value.kind == "array" and isinstance(value.state, tuple):
        _, _, kind, _, data = value.state
    else:
        raise UnsafePickleError("it holds an incomplete array")
    if isinstance(data, bytes):
        stack.reserve_bytes(len(data))
    return _decode_array(kind, data)


def _require_plain_values(value: Any) -> None:
    """Raise UnsafePickleError if a stand-in is left anywhere. A pickle can nest lists in themselves."""
    waiting, seen = [value], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            if id(value) not in seen:
                seen.add(id(value))
                waiting.extend(value)
        elif not isinstance(value, bytes | str | int | None):
            raise UnsafePickleError("it holds a function or an unfinished array")


def _numpy_factory(kind: str) -> Callable[..., Any]:
    return lambda *arguments: _NumpyObject(kind, arguments)


#: The functions and classes a pickle may name, with their stand-ins.
_ALLOWED_GLOBALS: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encode_latin1,
    "numpy.ndarray": _numpy_factory("never"),
    "numpy.dtype": _numpy_factory("dtype"),
    "numpy.core.multiarray._reconstruct": _numpy_factory("array"),
    "numpy.core.numeric._frombuffer": _numpy_factory("buffer"),
    "numpy.core.multiarray.scalar": _read_scalar,
}
