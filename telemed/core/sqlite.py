"""SQLite behind its own thread, visited once for each statement.

As it comes, a statement costs four visits to the connection's thread: make a cursor, execute,
fetch, close. Each waits for the interpreter's lock twice; a page of fifteen statements spent more
time on that than on its SQL (`python -m bench.pages`).
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, event
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
)
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True)
class _Answer:
    """What a cursor knows of the statement it ran, once it is closed."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()
    arraysize: int = 1

    def close(self) -> None:
        """Nothing is held."""


_Ask = Callable[[sqlite3.Connection, str, Any], sqlite3.Cursor]


def _run(connection: sqlite3.Connection, ask: _Ask, sql: str, parameters: Any) -> _Answer:
    cursor = ask(connection, sql, parameters)
    try:
        rows = cursor.fetchall()
        return _Answer(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()


class _OneVisitCursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()
    _awaitable_cursor_close = False

    def _make_new_cursor(self, connection: Any) -> Any:
        return _Answer()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._ask(sqlite3.Connection.execute, operation, parameters or ())

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._ask(sqlite3.Connection.executemany, operation, seq_of_parameters)

    async def _ask(self, ask: _Ask, sql: str, parameters: Any) -> None:
        line: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            answer = await line._execute(_run, line._conn, ask, sql, parameters)
        self._cursor = answer
        self._rows = deque(answer.rows)


class _OneVisitConnection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()
    _cursor_cls = _OneVisitCursor


def visit_once(engine: AsyncEngine) -> None:
    """Have the connections of an engine take one visit to their thread for a statement."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Dialect, _record: object, args: Any, params: Any) -> Any:
        made: Any = dialect.connect(*args, **params)
        return _OneVisitConnection(made.dbapi, made._connection)
