"""A real MQTT broker for tests: Debian's Mosquitto on a free port, in a temporary folder."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ops.ports import free_ports
from tests.support.waiting import until

UNPACKED = Path(__file__).resolve().parents[2] / ".tools" / "debian"
PROGRAMS = (Path("/usr/sbin/mosquitto"), UNPACKED / "usr/sbin/mosquitto")


@pytest.fixture
async def mqtt_port(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a broker that lets everybody in; skipped where there is none."""
    program = next((each for each in PROGRAMS if each.exists()), None)
    if program is None:
        pytest.skip("mosquitto is not here: scripts/debian.sh brings it on Debian")
    (port,) = free_ports(1)
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    libraries = [UNPACKED / "usr/lib/x86_64-linux-gnu", UNPACKED / "lib/x86_64-linux-gnu"]
    process = await asyncio.create_subprocess_exec(
        *(str(program), "-c", str(configuration)),
        env=os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries))},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        await process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
