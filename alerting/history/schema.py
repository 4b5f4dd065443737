"""Bringing a database to the schema of this release, and telling one that is of another."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, text

from alerting.history.database import HistoryError, shown

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
