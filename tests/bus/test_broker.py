"""The local broker: lives, dies, comes back, and says what is wrong."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import broker_directory
from bus.broker import LocalBroker, cluster_id
from bus.broker_directory import KAFKA_LOG, THROWN_AWAY, DataDirectory
from bus.clients import BrokerError, KafkaPublisher, create_topics
from bus.interfaces import Outgoing
from bus.settings import KafkaSettings
from bus.topics import SAMPLES
from ecg.errors import EcgStreamError
from tests.bus.one_topic import publish, read

DEADLINE_S = 60.0


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Throwaway directories come here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def contents(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def settings_of(broker: LocalBroker) -> KafkaSettings:
    return KafkaSettings(_env_file=None, bootstrap_servers=broker.bootstrap)


@pytest.mark.broker
async def test_a_killed_broker_comes_back_with_its_data_on_its_port(temporary: Path) -> None:
    async with LocalBroker() as broker:
        settings = settings_of(broker)
        await create_topics(settings)
        await publish(settings, b"before")
        await broker.kill()
        assert not broker.running
        await broker.wait()  # asked for, so no error
        await broker.start()
        assert settings_of(broker) == settings
        await publish(settings, b"after")
        assert await read(settings) == [b"before", b"after"]
    assert contents(temporary) == [], "a throwaway broker leaves nothing behind"


@pytest.mark.broker
async def test_a_named_directory_keeps_its_data_and_belongs_to_one_broker(tmp_path: Path) -> None:
    async with LocalBroker(data_dir=tmp_path / "kafka") as broker:
        await create_topics(settings_of(broker))
        await publish(settings_of(broker), b"kept")
        with pytest.raises(EcgStreamError, match=f"another broker uses {tmp_path}/kafka: end it or name another"):
            await LocalBroker(data_dir=tmp_path / "kafka").__aenter__()
        assert await read(settings_of(broker)) == [b"kept"], "the one in the way is unharmed"
    async with LocalBroker(data_dir=tmp_path / "kafka") as broker:
        assert await read(settings_of(broker)) == [b"kept"]


@pytest.mark.broker
async def test_the_broker_dies_with_its_parent_even_by_sigkill(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from bus.broker import LocalBroker, cluster_id

        async def main():
            async with LocalBroker() as broker:
                print(broker.pid, broker.bootstrap, file=sys.stderr, flush=True)
                await broker.wait()

        asyncio.run(main())
    """)
    with _started(program, tmp_path) as parent:
        assert parent.stderr is not None
        pid, bootstrap = (await asyncio.to_thread(parent.stderr.readline)).split()
        os.kill(int(pid), 0)
        parent.kill()
    async with asyncio.timeout(DEADLINE_S):
        while await _listens(bootstrap):
            pass


def _started(program: str, temporary: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"TMPDIR": str(temporary)}
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


async def _listens(bootstrap: str) -> bool:
    host, port = bootstrap.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


@pytest.mark.broker
async def test_a_broker_that_crashes_is_noticed(own_broker: LocalBroker) -> None:
    watch = asyncio.create_task(own_broker.wait())
    os.kill(own_broker.pid, signal.SIGKILL)
    with pytest.raises(EcgStreamError, match="Kafka ended by SIGKILL"):
        await asyncio.wait_for(watch, DEADLINE_S)


@pytest.mark.broker
async def test_a_directory_of_another_broker_is_told_with_kafkas_own_words(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.open()
    data.write("topics/meta.properties", "version=1\ncluster.id=x\nnode.id=2\n")
    data.close()
    with pytest.raises(EcgStreamError, match=r"Stored node id 2 doesn't match.*name another") as caught:
        await LocalBroker(data_dir=tmp_path).__aenter__()
    assert "\n" not in str(caught.value)


async def test_a_taken_port_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EcgStreamError, match=f"port {port} on 127.0.0.1 is taken.*choose another"):
            await LocalBroker(port=port).__aenter__()


@pytest.mark.parametrize("port", [-1, 70_000])
async def test_a_port_that_cannot_be_is_one_clear_error(port: int) -> None:
    with pytest.raises(EcgStreamError, match="choose another port"):
        await LocalBroker(port=port).__aenter__()


def test_a_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    data = DataDirectory(tmp_path / "file" / "kafka")
    with pytest.raises(EcgStreamError, match=r"cannot write the broker's data to .*file/kafka: Not a directory"):
        data.open()


def test_a_full_disk_is_told_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_directory, "MIN_FREE_BYTES", 2**60)
    data = DataDirectory(tmp_path)
    with pytest.raises(EcgStreamError, match=rf"the disk under {tmp_path} is full: \d+ MB free, Kafka needs at least"):
        data.open()
    data.close()


def test_a_death_for_want_of_space_says_so(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.open()
    data.write(KAFKA_LOG, "2026-01-01 ERROR Error while writing (x)\njava.io.IOException: No space left on device\n")
    assert f"the disk under {tmp_path} is full" in str(data.death("ended", 1))
    data.close()


def test_a_death_without_a_known_cause_shows_the_last_words(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.open()
    trace = "java.lang.IllegalStateException: why\n\tat kafka.X.y(X.scala)\n"
    data.write(KAFKA_LOG, f"INFO fine\n2026-01-01 ERROR It broke (kafka.X)\n{trace}")
    text = str(data.death("ended", -9))
    assert "Kafka ended by SIGKILL; its last words: " in text
    assert "It broke (kafka.X) | java.lang.IllegalStateException: why" in text
    assert "fine" not in text
    data.close()


def test_orphans_are_removed_but_not_what_is_in_use(temporary: Path) -> None:
    used, orphan, other = DataDirectory(None), temporary / f"{THROWN_AWAY}dead", temporary / "other"
    used.open()
    os.utime(used.path / "lock", (0, 0))
    other.mkdir()
    orphan.mkdir()
    (orphan / "lock").touch()
    os.utime(orphan / "lock", (0, 0))
    broker_directory.remove_orphans(temporary)
    assert sorted(temporary.iterdir()) == sorted([used.path, other])
    used.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 MB; making one takes root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs root to mount a small disk; the tests above show the same without one")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.broker
async def test_a_disk_that_fills_up_ends_the_broker_clearly_and_loses_nothing(small_disk: Path) -> None:
    acknowledged: list[bytes | None] = []

    async def fill(settings: KafkaSettings) -> None:
        async with KafkaPublisher(settings, delivery_timeout_s=2) as publisher:
            while True:
                value = os.urandom(500_000)
                await (await publisher.send(Outgoing(topic=SAMPLES, key=b"p1", value=value)))
                acknowledged.append(value)

    async with LocalBroker(data_dir=small_disk / "kafka") as broker:
        settings = settings_of(broker)
        await create_topics(settings)
        watch = asyncio.create_task(broker.wait())
        with pytest.raises(BrokerError, match=r"has taken nothing for ecg\.samples in 2 s"):
            await asyncio.wait_for(fill(settings), DEADLINE_S)
        with pytest.raises(EcgStreamError, match=r"Kafka ended .* is full .* free some"):
            await asyncio.wait_for(watch, DEADLINE_S)
    with pytest.raises(EcgStreamError, match="is full: 0 MB free"):
        await LocalBroker(data_dir=small_disk / "kafka").__aenter__()
    await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
    async with LocalBroker(data_dir=small_disk / "kafka") as broker:
        kept = await read(settings_of(broker))
    assert len(acknowledged) > 10
    assert kept[: len(acknowledged)] == acknowledged


def test_no_cluster_id_looks_like_an_option() -> None:
    # One in 64 would; Kafka's tool then refuses to prepare the directory.
    assert not any(cluster_id().startswith("-") for _ in range(2000))
