"""Starts of the services, again and again, each on a fresh broker that wants a password over TLS."""

import asyncio
import datetime as dt
import ipaddress
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from bus.broker import LocalBroker
from bus.broker_config import HOST, BrokerSecurity
from bus.clients import create_topics
from bus.settings import KafkaSettings
from ecgstream.bench.capacity import machine
from ecgstream.children import Command
from ops.ports import free_ports

LIMIT_S = 15.0  # what a start may take, libraries and models included
SERVICES = ("detect", "alert", "web")
_USER, _PASSWORD = "bench", "only-for-this-run"  # of a broker that ends with the bench
_ASK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """One start: seconds until each service was ready, None for one that was not in time."""

    ready_s: dict[str, float | None]

    @property
    def slowest_s(self) -> float | None:
        """Return when the last one was ready; None when one was not."""
        times = list(self.ready_s.values())
        return None if None in times else max(time_s for time_s in times if time_s is not None)


async def run_starts(starts: int, *, services: Sequence[str] = SERVICES, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """Start services over SASL_SSL, each time on a fresh broker.

    Parameters
    ----------
    starts : how often
    services : which, started side by side
    limit_s : how soon all of them have to be ready, with every partition processed

    Returns
    -------
    the JSON object of ``ecgstream bench starts --json``

    Raises
    ------
    EcgStreamError : when a broker does not start, or a service ends
    """
    with tempfile.TemporaryDirectory(prefix="ecgstream-start-bench-") as name:
        folder = Path(name)
        keystore, authority = write_certificate(folder)
        logs = [folder / f"start-{number}" for number in range(starts)]
        for each in logs:
            each.mkdir()
        done = [await _start(each, keystore, authority, services=services, limit_s=limit_s) for each in logs]
    slowest = sorted(start.slowest_s for start in done if start.slowest_s is not None)
    return {
        "starts": starts,
        "limit_s": limit_s,
        "ready": len(slowest),
        "not_ready": {service: sum(start.ready_s[service] is None for start in done) for service in services},
        "slowest_service_s": {
            "p50": round(slowest[len(slowest) // 2], 2) if slowest else None,
            "max": round(slowest[-1], 2) if slowest else None,
        },
        "machine": machine(),
    }


async def _start(folder: Path, keystore: Path, authority: Path, *, services: Sequence[str], limit_s: float) -> _Start:
    security = BrokerSecurity(users={_USER: _PASSWORD}, keystore=keystore)
    async with LocalBroker(security=security) as broker:
        kafka = KafkaSettings(
            _env_file=None,
            bootstrap_servers=broker.bootstrap,
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_username=_USER,
            sasl_password=SecretStr(_PASSWORD),
            ssl_cafile=authority,
        )
        await create_topics(kafka)
        secrets = {
            "ECGSTREAM_SASL_MECHANISM": "SCRAM-SHA-256",
            "ECGSTREAM_SASL_USERNAME": _USER,
            "ECGSTREAM_SASL_PASSWORD": _PASSWORD,
            "ECGSTREAM_SSL_CAFILE": str(authority),
            "ECGSTREAM_WEB_PORT": str(free_ports(1)[0]),
        }
        commands = {each: Command(each, each, kafka=kafka, logs=folder, environment=secrets) for each in services}
        began_s = time.monotonic()
        try:
            await asyncio.gather(*(command.start() for command in commands.values()))
            times = await asyncio.gather(
                *(_ready_s(command, began_s=began_s, limit_s=limit_s) for command in commands.values())
            )
        finally:
            await asyncio.gather(*(command.stop() for command in commands.values()))
    return _Start(ready_s=dict(zip(commands, times, strict=True)))


async def _ready_s(command: Command, *, began_s: float, limit_s: float) -> float | None:
    """Seconds from the beginning until a service is ready; None when it is not in time."""
    while (passed_s := time.monotonic() - began_s) < limit_s:
        await command.check()
        try:
            await asyncio.to_thread(command.page, "readyz")
        except (URLError, OSError):
            await asyncio.sleep(_ASK_EVERY_S)
        else:
            return passed_s
    return None


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for a broker on this machine, good for a day.

    Returns
    -------
    keystore : key and certificate, as the broker wants them
    authority : the certificate, as clients want it
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker of this machine")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    keystore, authority = folder / "broker.pem", folder / "authority.pem"
    pem = certificate.public_bytes(Encoding.PEM)
    keystore.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    keystore.chmod(0o600)
    authority.write_bytes(pem)
    return keystore, authority
