"""Reaching the database: its address, its engine, and what is said when it does not do what it should."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import stamina
from sqlalchemy import URL, Connection, Engine, NullPool, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError

from ecg.errors import EcgStreamError

VARIABLE = "ECGSTREAM_ALERTING_ALARM_DB"
FILE = "alarms.sqlite"
BUSY_S = 5.0  # so long one waits for another's transaction; a second one's takes milliseconds
WAL_AGAIN_S = 0.01
CONNECT_S = 5
STATEMENT_MS = 30_000
WAIT_S = 0.2  # after the first failure of the database; doubled after each further one, up to
MAX_WAIT_S = 30.0
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
# What a database says, and what helps. SQLite by its words, PostgreSQL by its words or SQLSTATE.
_REMEDIES = (
    (("database is locked", "55P03", "57014", "40P01"), "end what else holds it; it is tried again"),
    (("database or disk is full", "disk i/o error", "53100"), "free some space on its disk; it is tried again"),
    (("unable to open", "readonly", "read-only"), f"let this user write there, or name another in {VARIABLE}"),
    (("no such table", "no such column", "42P01", "42703"), "it is not a whole history: restore it from a backup"),
    (("not a database", "malformed"), "restore it from a backup, or move it away: what Kafka keeps is read anew"),
    (("28P01", "28000", "password", "role "), f"correct the user and the password in {VARIABLE}"),
    (("3D000",), "create the database"),
    (("42501",), "grant this user its tables"),
)
ResultT = TypeVar("ResultT")


class HistoryError(EcgStreamError):
    """The alarm history cannot be read or written now."""


class RefusedError(HistoryError):
    """The database takes other rows, and never this one."""


class AddressError(HistoryError):
    """The address of the alarm history is none."""


def address(named: str | None) -> URL:
    """The database's address: the one named, else a file in the user's state directory.

    Raises
    ------
    AddressError : when it is no address of SQLite or PostgreSQL; a password in it is not told
    """
    if named is None:
        state = os.environ.get("XDG_STATE_HOME")
        folder = (Path(state) if state else Path.home() / ".local" / "state") / "ecgstream"
        return URL.create("sqlite+pysqlite", database=str(folder / FILE))
    remedy = "write sqlite:////path/to/alarms.sqlite or postgresql://user:password@host/database"
    try:
        url = make_url(named)
        url = url.set(drivername=_DRIVERS[url.drivername])
    except (ArgumentError, ValueError):
        raise AddressError(f"{VARIABLE} is not the address of a database: {remedy}") from None
    except KeyError:
        raise AddressError(f"{VARIABLE} names {url.drivername!r}, which is not used here: {remedy}") from None
    if not url.database or url.database == ":memory:":
        raise AddressError(f"{VARIABLE} does not name a database that lasts: {remedy}")
    return url


def shown(url: URL) -> str:
    """The address as it may be logged: a file's path, or a URL without its user's password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def open_engine(url: URL, *, read_only: bool = False) -> Engine:
    """An engine on the database; nothing is connected yet.

    Parameters
    ----------
    url : as ``address`` gives it
    read_only : its transactions write nothing
    """
    if url.get_backend_name() == "sqlite":
        # A connection for each transaction: a file that was moved away is not written on behind everybody's back.
        # And none that makes the file: ``make_file`` does.
        address = f"file:{quote(str(url.database))}?mode=rw"

        def _connect() -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)

        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, creator=_connect)
        event.listen(engine, "connect", _prepare_reader if read_only else _prepare_writer)
        # With isolation_level=None sqlite3 begins no transaction by itself: it would with the first write only, after
        # what was read before it.
        begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine, "begin", _begin)
        return engine
    options = f"-c lock_timeout={round(BUSY_S * 1000)} -c statement_timeout={STATEMENT_MS}"
    if read_only:
        options += " -c default_transaction_read_only=on"
    return create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_S, "options": options, "application_name": "ecgstream"},
    )


def make_file(url: URL) -> None:
    """Make an SQLite file, for its owner alone, where there is none; nothing for PostgreSQL.

    Raises
    ------
    HistoryError : when it cannot be made
    """
    if url.get_backend_name() != "sqlite":
        return
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives the files beside it the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise HistoryError(
            f"the alarm history {path} cannot be opened: {error.strerror}: let this user write there, or name another "
            f"in {VARIABLE}"
        ) from error


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Tell what a database complains of in words of this program, without the rows or a password.

    Raises
    ------
    RefusedError : when it is about a row
    HistoryError : when it is about anything else
    """
    try:
        yield
    except (DataError, IntegrityError, OverflowError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise RefusedError(f"the alarm history {shown(url)} refuses a row: {_first_line(cause)}") from None
    except DBAPIError as error:
        said = _first_line(error.orig)
        state = str(getattr(error.orig, "sqlstate", None) or "")
        text = said.lower()
        remedy = next(
            (remedy for signs, remedy in _REMEDIES if any(sign in text or sign == state for sign in signs)),
            f"see that it runs, and that {VARIABLE} names it",
        )
        raise HistoryError(f"the alarm history {shown(url)} does not answer as it should: {said}: {remedy}") from None


async def in_thread(thread: Executor, work: Callable[[], ResultT]) -> ResultT:
    """Do something with the database in a thread: one that waits for a lock must not hold the event loop up."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)


async def patiently(
    work: Callable[[], Awaitable[ResultT]],
    *,
    on: type[Exception] | Callable[[Exception], bool] = HistoryError,
    wait_s: float = WAIT_S,
    jitter_s: float = WAIT_S,
) -> ResultT:
    """Do something with the database, again and again while it cannot be done now.

    Parameters
    ----------
    work : begun anew for each attempt
    on : which failures pass by themselves
    wait_s : after the first failure; doubled after each further one, up to ``MAX_WAIT_S``
    jitter_s : by up to so much each wait is longer: who failed together must not come back together
    """
    async for attempt in stamina.retry_context(
        on=on, attempts=None, timeout=None, wait_initial=wait_s, wait_max=MAX_WAIT_S, wait_jitter=jitter_s
    ):
        with attempt:
            result = await work()
    return result


def insert_into(connection: Connection, table: Table) -> Any:
    """Return an insert in the database's own SQL, which can pass over or change rows that are there."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def without_nul(text: str) -> str:
    """Return a text without NUL, which PostgreSQL does not take: a name with one must not escape the trail."""
    return text.replace("\0", "\ufffd")


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else repr(error)


def _prepare_writer(connection: sqlite3.Connection, _: Any) -> None:
    # Readers do not wait for the writer, nor it for them.
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # Of several that open a new file at once one makes the change, and SQLite does not let the others wait.
            if "locked" not in str(error) or time.monotonic() > until_s:
                raise
            time.sleep(WAL_AGAIN_S)
    # What a power failure takes from the end goes with its position in Kafka, from where it is read again.
    connection.execute("PRAGMA synchronous=NORMAL")


def _prepare_reader(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA query_only=ON")
