"""Keep what Dask logs off the user's terminal: causes that matter are raised as errors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: Dask, and the libraries that it is written with.
_PACKAGES = ("distributed", "tornado", "bokeh")
_LOOP = "BaseAsyncIOLoop"  # of tornado


class _WithoutDask(logging.Filter):
    """Drops what the event loop reports about Dask, such as tasks that ended after their cluster."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(package in record.getMessage() for package in (*_PACKAGES, _LOOP))


def silence_logs() -> None:
    """Discard what Dask logs in this process from now on: tasks may still end after their cluster."""
    for name in [*_PACKAGES, *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in _PACKAGES and (name in _PACKAGES or logging.getLogger(name).handlers):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [logging.NullHandler()], False
    loop_logger = logging.getLogger("asyncio")
    if not any(isinstance(known, _WithoutDask) for known in loop_logger.filters):
        loop_logger.addFilter(_WithoutDask())


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Ignore the warnings of Dask's modules, such as that of versions that differ, which are compared anyway."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="distributed|tornado|dask")
        yield
