"""A cluster of local brokers on this machine: real replication, and one of them may die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bus.broker import LocalBroker, cluster_id
from bus.broker_config import HOST, Membership
from ecg.errors import EcgStreamError
from ops.ports import free_ports

HEAP_MB = 256  # of each: several share a machine's memory


@asynccontextmanager
async def local_brokers(
    count: int, *, data_dir: Path | None = None, port: int | None = None
) -> AsyncIterator[tuple[LocalBroker, ...]]:
    """Run so many brokers as one cluster while in ``async with``; one alone is a plain ``LocalBroker``.

    Every broker is a controller too, so that of three one may be away.

    Parameters
    ----------
    count : how many
    data_dir : where the topics are kept, of several in a folder for each broker; None throws them away at the end
    port : the first one's port for clients, and the next ones above it for the others; None takes free ones

    Raises
    ------
    EcgStreamError : when a broker does not start, or ``data_dir`` is of another number of brokers
    """
    brokers = _brokers(count, data_dir=data_dir, port=port)
    # Together, since none has started before more than half of the controllers agree.
    starts = [asyncio.ensure_future(broker.start()) for broker in brokers]
    try:
        await asyncio.gather(*starts)
        yield brokers
    finally:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(broker.close() for broker in brokers))


def bootstrap_of(brokers: tuple[LocalBroker, ...]) -> str:
    """Addresses that clients of a cluster connect to: host:port, separated by commas."""
    return ",".join(broker.bootstrap for broker in brokers)


def _brokers(count: int, *, data_dir: Path | None, port: int | None) -> tuple[LocalBroker, ...]:
    identity = cluster_id()
    if data_dir is not None:
        identity = _kept_cluster_id(data_dir, count) or identity
    if count == 1:
        return (LocalBroker(data_dir=data_dir, port=port),)
    free = free_ports(2 * count, host=HOST)
    controller_ports = dict(enumerate(free[:count], start=1))
    client_ports = free[count:] if port is None else range(port, port + count)
    return tuple(
        LocalBroker(
            data_dir=None if data_dir is None else data_dir / str(node),
            port=client_port,
            heap_mb=HEAP_MB,
            membership=Membership(node_id=node, controller_ports=controller_ports, cluster_id=identity),
        )
        for node, client_port in zip(controller_ports, client_ports, strict=True)
    )


def _kept_cluster_id(data_dir: Path, count: int) -> str | None:
    """Cluster id in a directory, which must be of so many brokers; None where it is a new one."""
    alone = (data_dir / "topics" / "meta.properties").is_file()
    files = sorted(data_dir.glob("[0-9]*/topics/meta.properties"))
    found = len(files) or int(alone)
    if found not in {0, count}:
        raise EcgStreamError(
            f"{data_dir} holds the data of {found} brokers, not of {count}: start as many, or name another directory"
        )
    if not files:
        return None
    lines = dict(line.split("=", 1) for line in files[0].read_text().splitlines() if "=" in line)
    return lines.get("cluster.id")
