"""Run functions as Dask tasks whose failures reach the client as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from faceclust.errors import FaceclustError

_MAX_TEXT = 300  # characters


class TaskError(NamedTuple):
    """The answer of a task that raised an exception, as one line of text."""

    text: str


def run_task(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; return what it returns, or a `TaskError`.

    Dask replaces some exceptions by others, and loses those that end a thread.
    """
    try:
        return function(*arguments)
    except BaseException as error:
        return TaskError(describe_error(error))


def describe_error(error: BaseException) -> str:
    """Return the class and message of an exception as one line of limited length."""
    try:
        message = " ".join(str(error).split())[:_MAX_TEXT]
    except Exception:
        message = ""
    return f"{type(error).__name__}: {message}"


def find_reason(error: BaseException) -> str | None:
    """Return the message of the system for the first cause of an exception, such as a refused certificate."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return reasons[-1] if reasons else None


def task_failure(text: str) -> FaceclustError:
    """Return the error of a run whose task failed."""
    return FaceclustError(
        f"a task on the Dask cluster failed: {text}",
        hint="this is a bug of faceclust, or its workers have other versions; without --dask it may work",
    )
