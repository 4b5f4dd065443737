"""Errors of the database: cause, place and remedy, and never a password."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, event, text

from alerting.database import engine as database
from alerting.database.engine import AddressError, HistoryError, address, shown
from alerting.history.reading import AlarmHistory
from alerting.history.store import AlarmStore
from ops.ports import free_ports
from tests.alerting.alerts import alert
from tests.alerting.history.entries import ALERTS, CLUSTER, entry


def test_by_default_a_file_in_the_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert shown(address(None)) == str(tmp_path / "ecgstream" / "alarms.sqlite")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert shown(address(None)) == str(tmp_path / ".local" / "state" / "ecgstream" / "alarms.sqlite")


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_password_is_never_shown(name: str) -> None:
    url = address(f"{name}://ada:hunter2@db.example:5432/alarms?sslmode=require&sslpassword=hunter3")
    assert url.drivername == "postgresql+psycopg"
    assert shown(url) == "postgresql://ada:***@db.example:5432/alarms"


@pytest.mark.parametrize(
    "named", ["", "hunter2", "mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "postgresql://u:hunter2@h:x/d"]
)
def test_what_is_no_address_is_refused_without_being_told(named: str) -> None:
    with pytest.raises(AddressError, match=r"^ECGSTREAM_ALERTING_ALARM_DB .*: write sqlite:////path") as failure:
        address(named)
    assert "hunter2" not in str(failure.value)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = AlarmStore(address(f"sqlite:///{tmp_path}/state/a b%#.sqlite"), cluster=CLUSTER)
    store.open()
    (file,) = (tmp_path / "state").glob("*.sqlite")
    assert file.name == "a b%#.sqlite"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("store")
def test_a_locked_database(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    waiting = AlarmStore(url, cluster=CLUSTER)
    other = create_engine(url)
    with other.connect() as connection:
        if url.get_backend_name() == "sqlite":
            connection.execute(text("BEGIN EXCLUSIVE"))
        else:
            connection.execute(text("LOCK TABLE positions"))
        with pytest.raises(HistoryError, match="end what else holds it; it is tried again"):
            waiting.record([entry(ALERTS, 0, alert())])
    assert waiting.record([entry(ALERTS, 0, alert())]).events == 1
    waiting.close()
    other.dispose()


def test_a_full_disk(tmp_path: Path) -> None:
    store = AlarmStore(address(f"sqlite:///{tmp_path}/alarms.sqlite"), cluster=CLUSTER)
    store.open()
    full = [True]

    def limit(connection: sqlite3.Connection, _: object) -> None:
        if full[0]:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    event.listen(store._engine, "connect", limit)
    entries = [entry(ALERTS, number, alert(sequence=number, reasons=("x" * 4000,))) for number in range(20)]
    with pytest.raises(HistoryError, match="full: free some space on its disk; it is tried again"):
        store.record(entries)
    full[0] = False
    assert store.record(entries).events == 20


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "alarms.sqlite").write_bytes(b"no database, but longer than its header " * 100)
    store = AlarmStore(address(f"sqlite:///{tmp_path}/alarms.sqlite"), cluster=CLUSTER)
    with pytest.raises(HistoryError, match="not a database: restore it from a backup, or move it away"):
        store.open()


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = AlarmStore(address(f"sqlite:///{tmp_path}/file/alarms.sqlite"), cluster=CLUSTER)
    with pytest.raises(HistoryError, match=r"cannot be opened: .*: let this user write there"):
        store.open()


def test_a_file_that_is_gone_is_not_written_on(tmp_path: Path) -> None:
    store = AlarmStore(address(f"sqlite:///{tmp_path}/alarms.sqlite"), cluster=CLUSTER)
    store.open()
    store.record([entry(ALERTS, 0, alert())])
    (tmp_path / "alarms.sqlite").unlink()
    with pytest.raises(HistoryError, match="unable to open database file: let this user write there"):
        store.record([entry(ALERTS, 1, alert(sequence=1))])
    assert not (tmp_path / "alarms.sqlite").exists()


def test_a_reader_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(HistoryError, match=r"there is no alarm history .*: start the alert service"),
        AlarmHistory(address(f"sqlite:///{tmp_path}/alarms.sqlite")),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_gone() -> None:
    (port,) = free_ports(1)
    store = AlarmStore(address(f"postgresql://ada:hunter2@127.0.0.1:{port}/alarms"), cluster=CLUSTER)
    with pytest.raises(
        HistoryError, match="see that it runs, and that ECGSTREAM_ALERTING_ALARM_DB names it"
    ) as failure:
        store.open()
    assert "hunter2" not in str(failure.value)


def test_tables_that_somebody_dropped(store: AlarmStore) -> None:
    with store._engine.begin() as connection:
        connection.execute(text("DROP TABLE positions"))
    with pytest.raises(HistoryError, match="it is not a whole history: restore it from a backup"):
        store.places()
