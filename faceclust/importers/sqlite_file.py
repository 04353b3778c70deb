"""Read tables of another program's SQLite database, which may be hostile, without changing it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.own_files import open_own, stat_own

#: A value of a table; blobs are read as None.
Value = str | int | float | None
_MAGIC = b"SQLite format 3\0"
#: Limits for one table: damaged rows can share one long text.
_MAX_ROWS, _MAX_CHARACTERS = 5_000_000, 500_000_000
_MAX_VALUE_BYTES = 1_000_000
#: Steps of SQLite's virtual machine between two calls, and the calls after which a read ends.
_STEPS, _MAX_CALLS = 100_000, 5_000
_VERSION_HINT = "it may be from an unsupported version of the program"
_ALLOWED_ACTIONS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)


class SqliteFile:
    """An open database. Only plain tables are read, one at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    def list_tables(self) -> set[str]:
        """Return the names of the tables; views and virtual tables are left out. Raises UsageError."""
        rows = self._select("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        return {
            name
            for name, sql in rows
            if isinstance(name, str) and isinstance(sql, str) and sql.upper().startswith("CREATE TABLE")
        }

    def read(self, table: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[Value, ...]]:
        """Yield these columns of a table, then the optional ones, None if they are missing.

        The names must be trusted: they become part of a statement.
        Raises UsageError if the table or a column is missing, or the database is damaged.
        """
        if table not in self.list_tables():
            raise UsageError(f"{self._path} has no table {table}", hint=_VERSION_HINT)
        present = {str(row[1]).casefold() for row in self._select(f'PRAGMA table_info("{table}")')}
        if missing := [column for column in columns if column.casefold() not in present]:
            raise UsageError(f"{self._path}: the table {table} has no column {missing[0]}", hint=_VERSION_HINT)
        chosen = ", ".join(
            f'"{column}"' if column.casefold() in present else "NULL" for column in (*columns, *optional)
        )
        yield from self._select(f'SELECT {chosen} FROM "{table}"')

    def _select(self, sql: str) -> Iterator[tuple[Value, ...]]:
        calls = characters = 0

        def is_endless() -> bool:
            nonlocal calls
            calls += 1
            return calls > _MAX_CALLS

        self._connection.set_progress_handler(is_endless, _STEPS)
        try:
            for number, row in enumerate(self._connection.execute(sql)):
                characters += sum(len(value) for value in row if isinstance(value, str))
                if number >= _MAX_ROWS or characters > _MAX_CHARACTERS:
                    raise UsageError(
                        f"{self._path}: a table has more than {_MAX_ROWS:,} rows or {_MAX_CHARACTERS:,} characters"
                    )
                yield tuple(value if isinstance(value, str | int | float) else None for value in row)
        except (sqlite3.Error, UnicodeError) as error:  # the latter: SQLite's message quotes a damaged schema
            raise UsageError(
                f"{self._path} cannot be read: {error}", hint="it may be damaged; try a backup of it"
            ) from error


@contextmanager
def open_sqlite(path: Path, program: str) -> Iterator[SqliteFile]:
    """Open a database of a program, read-only; the file and its folder are not changed.

    Raises UsageError if it is not a database, or if the program has it open.
    """
    try:
        with os.fdopen(open_own(path), "rb") as stream:
            magic = stream.read(len(_MAGIC))
    except OSError as error:
        raise UsageError(f"cannot open {path}: {error.strerror or error}") from error
    if magic != _MAGIC:
        raise UsageError(f"{path} is not an SQLite database", hint=f"name the database of {program}")
    for ending in ("-wal", "-journal"):
        pending = stat_own(path.with_name(path.name + ending))
        if pending is not None and pending.st_size:
            raise UsageError(
                f"{path} has unsaved changes in {path.name}{ending}",
                hint=f"start {program} and close it, then import again",
            )
    try:
        # Immutable: neither locks nor the files that SQLite puts beside a database.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be opened: {error}") from error
    with closing(connection):
        _restrict(connection)
        yield SqliteFile(connection, path)


def _restrict(connection: sqlite3.Connection) -> None:
    """Forbid everything but reading plain tables: a schema can contain code."""
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)

    def authorize(action: int, first: str | None, second: str | None, _schema: str | None, inside: str | None) -> int:
        """`inside` is the view or trigger that wants to read."""
        is_table_info = action == sqlite3.SQLITE_PRAGMA and first == "table_info"
        is_allowed = inside is None and (action in _ALLOWED_ACTIONS or is_table_info)
        return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY

    connection.set_authorizer(authorize)
