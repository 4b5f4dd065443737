"""The peers: which programs of the folder ``peers`` there are, and the environment and the process of each."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ecgstream
from bus.settings import KafkaSettings
from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecgstream.children import Program

ROOT = Path(ecgstream.__file__).parents[1]
FOLDER = ROOT / "peers"
INSTALL_S = 600.0  # an installation that has not ended so long after its start hangs


class PeerUnavailableError(EcgStreamError):
    """A peer whose environment cannot be made here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program that does the detector's job in another way.

    Attributes
    ----------
    arguments : of Python
    prepare : arguments of Python that run once before its first start; none where nothing is to be prepared
    lock : its requirements, a file of ``peers/requirements``; None where it needs nothing that the product does not
    environment : variables that it finds beside those that all peers find; ``{folder}`` stands for its own folder
    guarantee : of its verdicts after a crash, by its documentation
    """

    arguments: Sequence[str]
    prepare: Sequence[str] = ()
    lock: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    guarantee: str


PEERS: Mapping[str, Peer] = {
    "plain_aiokafka": Peer(arguments=("-m", "peers.plain_aiokafka"), guarantee="at most once"),
    "aiokafka_batches": Peer(arguments=("-m", "peers.aiokafka_batches"), guarantee="at least once, without state"),
    "confluent_batches": Peer(
        arguments=("-m", "peers.confluent_batches"), lock="confluent.lock", guarantee="at least once, without state"
    ),
    "faust": Peer(
        arguments=("-m", "peers.faust_agent", "worker", "--loglevel", "warn"),
        lock="faust.lock",
        guarantee="at least once, without state",
    ),
    "quix_streams": Peer(arguments=("-m", "peers.quix_streams"), lock="quix_streams.lock", guarantee="at least once"),
    "quix_streams_exactly_once": Peer(
        arguments=("-m", "peers.quix_streams"),
        lock="quix_streams.lock",
        environment={"PEER_GUARANTEE": "exactly-once"},
        guarantee="exactly once",
    ),
    "faststream": Peer(
        arguments=("-m", "faststream", "run", "peers.faststream_app:app"),
        lock="faststream.lock",
        guarantee="at least once, without state",
    ),
    "bytewax": Peer(
        arguments=("-m", "bytewax.run", "peers.bytewax_flow", "-r", "{folder}", "-s", "5", "-b", "0"),
        prepare=("-m", "bytewax.recovery", "{folder}", "4"),
        lock="bytewax.lock",
        guarantee="at least once",
    ),
}


def peers_named(names: Sequence[str]) -> dict[str, Peer]:
    """The peers by name; none given means all.

    Raises
    ------
    EcgStreamError : when one is not there, or the programs do not lie beside this package
    """
    if not FOLDER.is_dir():
        raise EcgStreamError(f"{FOLDER} is not there: the peers come with the source, run this from a checkout of it")
    if unknown := [name for name in names if name not in PEERS]:
        raise EcgStreamError(f"peers={','.join(unknown)} is no peer: choose from {', '.join(PEERS)}")
    return {name: PEERS[name] for name in names or PEERS}


async def program_of(name: str, peer: Peer, *, kafka: KafkaSettings, folder: Path) -> Program:
    """Return a peer as a program, its environment made where it was not there yet.

    Parameters
    ----------
    name, peer : its entry in the table
    kafka : the Kafka that it works on
    folder : for its state and its output

    Raises
    ------
    PeerUnavailableError : when its environment cannot be made
    """
    python = await asyncio.to_thread(environment_of, peer)
    state = folder / name
    state.mkdir()
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PEER_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PEER_FOLDER": str(state),
    }
    environment |= {key: value.format(folder=state) for key, value in peer.environment.items()}
    if peer.prepare:
        await asyncio.to_thread(_run, [python, *(each.format(folder=state) for each in peer.prepare)], environment)
    return Program(
        f"peer {name}",
        [python, *(each.format(folder=state) for each in peer.arguments)],
        log=folder / f"{name}.log",
        environment=environment,
    )


def environment_of(peer: Peer) -> str:
    """The Python of a peer's environment: made once for its lock file, below the data directory.

    Raises
    ------
    PeerUnavailableError : when it cannot be made
    """
    if peer.lock is None:
        return sys.executable
    lock = FOLDER / "requirements" / peer.lock
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = data_directory() / "peers" / f"{lock.stem}-{digest}"
    python, complete = str(folder / "bin" / "python"), folder / ".complete"
    if complete.is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv") or shutil.which(str(ROOT / ".uv" / "bin" / "uv"))
    _run(
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)]
        if uv
        else [sys.executable, "-m", "venv", str(folder)]
    )
    install = (
        [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", python]
        if uv
        else [python, "-m", "pip", "install", "--quiet"]
    )
    _run([*install, "--require-hashes", *([] if uv else ["-r"]), str(lock)])
    complete.touch()
    return python


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # a command that this module builds
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerUnavailableError(f"its environment cannot be made: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1].strip()
        raise PeerUnavailableError(f"its environment cannot be made: {last}")
