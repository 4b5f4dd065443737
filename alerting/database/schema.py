"""Bringing a database to the schema of this release, and refusing one that is of another."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, text

from alerting.database.engine import VARIABLE, HistoryError, explained, open_engine, shown

LOCK = 0x65636773  # PostgreSQL's advisory lock: two services that start at once migrate one after the other


class OtherSchemaError(HistoryError):
    """The database has the schema of another release."""


def migrate(engine: Engine, *, to: str = "head") -> None:
    """Bring a database to a revision, all or nothing.

    Parameters
    ----------
    engine : of a database that may be written
    to : "head", the newest; "base", without any table of ours; or a revision's number

    Raises
    ------
    OtherSchemaError : when it is of a newer release
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        scripts = _config()
        known = ScriptDirectory.from_config(scripts)
        found = MigrationContext.configure(connection).get_current_revision()
        _refuse_newer(found, known, engine.url)
        target = known.get_current_head() if to == "head" else to
        if found == target:
            return
        scripts.attributes["connection"] = connection
        ahead = to == "base" or (found is not None and to != "head" and to < found)
        (command.downgrade if ahead else command.upgrade)(scripts, to)


def open_reader(url: URL) -> Engine:
    """Return a read-only engine on a history that is there and of this release.

    Raises
    ------
    OtherSchemaError : when it is of another release
    HistoryError : when it is not there or does not answer
    """
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise HistoryError(
            f"there is no alarm history {shown(url)}: start the alert service, which makes it, "
            f"or name another in {VARIABLE}"
        )
    engine = open_engine(url, read_only=True)
    try:
        with explained(url), engine.begin() as connection:
            require_current(connection)
    except HistoryError:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(url: URL) -> Iterator[Connection]:
    """Open a history for one transaction that reads; raises as ``open_reader`` does."""
    engine = open_reader(url)
    try:
        with explained(url), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def require_current(connection: Connection) -> None:
    """See that a database that is only read has this release's schema.

    Raises
    ------
    OtherSchemaError : when it has not
    """
    known = ScriptDirectory.from_config(_config())
    found = MigrationContext.configure(connection).get_current_revision()
    url = connection.engine.url
    _refuse_newer(found, known, url)
    if found != known.get_current_head():
        raise OtherSchemaError(
            f"the alarm history {shown(url)} has schema {found or 'none'}, this release needs "
            f"{known.get_current_head()}: start the alert service once, which brings it up"
        )


def _refuse_newer(found: str | None, known: ScriptDirectory, url: URL) -> None:
    if found is not None and found not in {step.revision for step in known.walk_revisions()}:
        raise OtherSchemaError(
            f"the alarm history {shown(url)} has schema {found}, the newest that this release knows is "
            f"{known.get_current_head()}: run the release that wrote it or a newer one"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
