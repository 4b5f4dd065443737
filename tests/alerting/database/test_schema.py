"""Migrations: up, down, up again, by several at once, and never over what a newer release has written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, inspect, text

from alerting.database import schema
from alerting.database.engine import address, make_file, open_engine
from alerting.database.schema import OtherSchemaError
from alerting.database.tables import metadata
from alerting.history.reading import AlarmHistory
from alerting.history.store import AlarmStore
from tests.alerting.history.entries import ALERTS, CLUSTER, entry


def test_the_migrations_make_the_tables_that_the_code_uses(store: AlarmStore) -> None:
    with store._engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_up_down_and_up_again(store: AlarmStore) -> None:
    store.record([entry(ALERTS, 0, None)])
    schema.migrate(store._engine, to="base")
    assert set(inspect(store._engine).get_table_names()) == {"alembic_version"}
    with store._engine.begin() as connection:
        left = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        if store._engine.dialect.name == "postgresql":
            left = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'ecgstream%'"
        assert connection.execute(text(left)).scalar() == 0
    store.open()
    assert store.places() == {}


def test_a_start_on_what_is_up_to_date_changes_nothing(store: AlarmStore) -> None:
    store.record([entry(ALERTS, 0, None)])
    store.open()
    assert store.places() == {ALERTS: 1}


def test_services_that_start_at_once_migrate_once(url: URL) -> None:
    stores = [AlarmStore(url, cluster=CLUSTER) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(AlarmStore.open, stores))
    assert [store.places() for store in stores] == [{}] * 4
    for store in stores:
        store.close()


def test_a_migration_that_fails_leaves_nothing_behind(url: URL) -> None:
    make_file(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE positions (in_the_way INTEGER)"))  # made last of all
    store = AlarmStore(url, cluster=CLUSTER)
    with pytest.raises(Exception, match="positions"):
        store.open()
    assert set(inspect(engine).get_table_names()) <= {"positions"}
    engine.dispose()
    store.close()


def test_a_newer_release_has_written_it(store: AlarmStore, url: URL) -> None:
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    expected = r"has schema 9999, the newest that this release knows is \d{4}: run the release that wrote it"
    with pytest.raises(OtherSchemaError, match=expected):
        store.open()
    with pytest.raises(OtherSchemaError, match=expected), AlarmHistory(url):
        pass


def test_a_reader_does_not_migrate(store: AlarmStore, url: URL) -> None:
    schema.migrate(store._engine, to="base")
    with pytest.raises(OtherSchemaError, match=r"has schema none, .* start the alert service once"), AlarmHistory(url):
        pass


def test_many_that_open_a_new_file_at_once_all_can(tmp_path: Path) -> None:
    """SQLite lets nobody wait for the change to its write-ahead log."""

    def opened(url: URL) -> str:
        engine = open_engine(url)
        start.wait()
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS rows (number INTEGER)"))
            mode = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
        engine.dispose()
        return mode

    start = Barrier(4)
    with ThreadPoolExecutor(4) as threads:
        for number in range(50):
            url = address(f"sqlite:///{tmp_path}/{number}.sqlite")
            make_file(url)
            assert list(threads.map(opened, [url] * 4)) == ["wal"] * 4
