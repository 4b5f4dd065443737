"""A real PostgreSQL for tests: one named by environment, else a server of our own in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from ops.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".tools" / "debian"
NAMED = "ECGSTREAM_TEST_POSTGRES"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server on which databases may be made; skipped where there is none."""
    if named := os.environ.get(NAMED):
        yield named
        return
    programs = server_programs()
    if programs is None:
        pytest.skip(f"no PostgreSQL server here: scripts/debian.sh brings it on Debian, or name one in {NAMED}")
    with _server(programs) as url:
        yield url


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """The URL of an empty database that is this test's alone."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = make_url(postgres).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def server_programs() -> Path | None:
    """The folder of the newest server's programs."""
    found = [
        initdb.parent
        for root in (Path("/"), UNPACKED)
        for initdb in (root / "usr/lib/postgresql").glob("*/bin/initdb")
        if (initdb.parent / "postgres").exists()
    ]
    on_path = shutil.which("initdb")
    newest = max(found, key=lambda folder: int(folder.parent.name), default=None)
    return Path(on_path).resolve().parent if newest is None and on_path else newest


def _open_to_all(folder: Path) -> bool:
    """Return whether every user may enter it."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def _copied(programs: Path, to: Path) -> Path:
    """The unpacked server where the user that it runs as may enter: a project in /root lets nobody in.

    Parameters
    ----------
    programs : the folder of its programs; they look for what they need beside it
    to : a folder that is made
    """
    for part in ("usr/lib", "usr/share/postgresql"):
        shutil.copytree(UNPACKED / part, to / part, symlinks=True)
    return to / programs.relative_to(UNPACKED)


@contextmanager
def _server(programs: Path) -> Iterator[str]:
    # Not pytest's folder: root's is closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="ecgstream-postgres-"))
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"
        shutil.chown(folder, user)
    unpacked = UNPACKED
    if user is not None and not _open_to_all(programs):
        unpacked = folder / "unpacked"
        programs = _copied(programs, unpacked)
    libraries = os.pathsep.join(str(path) for path in (unpacked / "usr/lib").glob("*-linux-gnu"))
    environment = {"PATH": os.defpath, "LC_ALL": "C", "LD_LIBRARY_PATH": libraries}
    (port,) = free_ports(1)

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(programs / program), *arguments],
            check=False,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=(log := (folder / f"{program}-{arguments[0].strip('-')}.log").open("w+b")),
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        log.seek(0)
        said = log.read().decode(errors="replace")
        log.close()
        assert done.returncode == 0, f"{program} says:\n{said}"

    data = folder / "data"
    # Its disk may forget everything with the machine: the tests kill processes, not the power.
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=40"
    try:
        run("initdb", "--auth=trust", "--username=ecgstream", "--encoding=UTF8", "--no-sync", f"--pgdata={data}")
        run("pg_ctl", "start", "-w", f"--pgdata={data}", f"--options={options}", f"--log={folder / 'server.log'}")
        try:
            yield f"postgresql://ecgstream@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "-w", "--mode=immediate", f"--pgdata={data}")
    finally:
        shutil.rmtree(folder)
