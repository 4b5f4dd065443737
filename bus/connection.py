"""Connections of every Kafka client, and its errors."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiokafka.errors
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import create_conn

from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError

RETRY_S = 0.25  # between two attempts to reach a broker that is not there yet
STOP_S = 10.0  # a client that has not stopped by then waits for a broker that is gone
FAREWELL_S = 0.1  # a connection that is closed takes a millisecond
CLOSE_S = 2.0  # closing sockets and cancelled tasks takes a moment, where it ends at all


class BrokerError(EcgStreamError):
    """A Kafka client's failure, in one line."""


class LetGoError(ConnectionError):
    """A Kafka client cancelled its own work while somebody waited for it."""


@contextmanager
def no_stray_cancellation() -> Iterator[None]:
    """Turn a cancellation that nobody asked for into an error.

    aiokafka cancels tasks of its own when a connection goes, and lets that out to whoever awaits one of them. Taken for
    a cancellation of the awaiting task, it would end that task in silence.

    Raises
    ------
    LetGoError : in place of a ``CancelledError`` while the current task was not asked to end
    """
    task = asyncio.current_task()
    asked = task.cancelling() if task else 0
    try:
        yield
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > asked:
            raise
        raise LetGoError("the Kafka client cancelled its own work: its connection went") from error


class Client(Protocol):
    """The methods that aiokafka's producer, consumer and admin client have in common."""

    async def start(self) -> None:
        """Connect."""


ClientT = TypeVar("ClientT", bound=Client)


def connection_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """The keyword arguments for any aiokafka client: addresses, TLS and SASL.

    Raises
    ------
    BrokerError : when an address is no host:port, or a TLS file is missing or is not what it should be
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": [f"{host}:{port}" for host, port in addresses(settings)],
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        arguments["sasl_mechanism"] = settings.sasl_mechanism
        arguments["sasl_plain_username"] = settings.sasl_username
        password = settings.sasl_password
        arguments["sasl_plain_password"] = password.get_secret_value() if password else None
    return arguments


def new_consumer(settings: KafkaSettings, **options: Any) -> AIOKafkaConsumer:
    """Return a consumer, not started, of committed messages; it commits no offsets."""
    arguments = connection_arguments(settings) | {"enable_auto_commit": False, "isolation_level": "read_committed"}
    return AIOKafkaConsumer(**arguments, **options)


def addresses(settings: KafkaSettings) -> list[tuple[str, int]]:
    """The brokers' hosts and ports.

    Raises
    ------
    BrokerError : when an address is no host:port
    """
    found = []
    for address in settings.bootstrap_servers.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
            raise BrokerError(
                f"bootstrap_servers={settings.bootstrap_servers!r}: {address.strip()!r} is not host:port: "
                "write it like kafka.example:9092"
            )
        found.append((host, int(port)))
    return found


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ssl_cafile:
        with _naming("ssl_cafile", settings.ssl_cafile, "a PEM file with the certificate authority"):
            context.load_verify_locations(settings.ssl_cafile)
    if settings.ssl_certfile:
        if settings.ssl_keyfile:
            # Read here, since load_cert_chain does not say which of its two files is missing.
            with _naming("ssl_keyfile", settings.ssl_keyfile, "a PEM file with the private key"):
                settings.ssl_keyfile.read_bytes()
        with _naming("ssl_certfile", settings.ssl_certfile, "a PEM file with the certificate that fits its key"):
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password="")
    return context


@contextmanager
def _naming(setting: str, path: Path, wanted: str) -> Iterator[None]:
    """Turn an error over a file into one that names the setting and the file."""
    try:
        yield
    except ssl.SSLError as error:
        raise BrokerError(f"{setting}={str(path)!r} cannot be used ({error.reason or error}): name {wanted}") from error
    except OSError as error:
        raise BrokerError(f"{setting}={str(path)!r}: {error.strerror}: name {wanted}") from error


@contextmanager
def _said_once() -> Iterator[None]:
    """Keep aiokafka from logging every attempt in vain: the error at the end says it all."""
    client_log = logging.getLogger("aiokafka")  # the name that aiokafka.client logs under

    def unheard(record: logging.LogRecord) -> bool:
        return not record.msg.startswith("Unable ")

    client_log.addFilter(unheard)
    try:
        yield
    finally:
        client_log.removeFilter(unheard)


async def connected(settings: KafkaSettings, make: Callable[[], ClientT]) -> ClientT:
    """A started client, the brokers being tried until ``settings.connect_timeout_s`` has passed.

    Parameters
    ----------
    settings : where the brokers are
    make : makes a fresh aiokafka client; called for every attempt

    Raises
    ------
    BrokerError : when no broker answers in time, or one refuses the credentials or the TLS handshake
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.connect_timeout_s
    while True:
        client = make()
        try:
            with _said_once():
                async with asyncio.timeout_at(deadline):
                    with no_stray_cancellation():
                        await client.start()
        except (aiokafka.errors.KafkaError, OSError, TimeoutError) as error:
            await stopped(client)
            permanent, reason = await _why(settings, error)
            if permanent or loop.time() + RETRY_S >= deadline:
                raise BrokerError(
                    f"no Kafka at {settings.bootstrap_servers} ({reason}): "
                    + (
                        "correct ECGSTREAM_SECURITY_PROTOCOL, ECGSTREAM_SASL_... and ECGSTREAM_SSL_..."
                        if permanent
                        else "start one with 'ecgstream broker' or set ECGSTREAM_BOOTSTRAP_SERVERS"
                    )
                ) from error
        except BaseException:
            await stopped(client)
            raise
        else:
            return client
        await asyncio.sleep(RETRY_S)


async def _why(settings: KafkaSettings, error: BaseException) -> tuple[bool, str]:
    """Return what makes trying again vain, if anything does: aiokafka's own error does not say."""
    arguments = connection_arguments(settings)
    arguments.pop("bootstrap_servers")
    for host, port in addresses(settings):
        try:
            async with asyncio.timeout(2):
                with no_stray_cancellation():
                    connection = await create_conn(host, port, request_timeout_ms=2000, **arguments)
        except (aiokafka.errors.SaslAuthenticationFailed, aiokafka.errors.AuthenticationFailedError):
            return True, f"it refuses the user {settings.sasl_username!r} or the password"
        except aiokafka.errors.UnsupportedSaslMechanismError:
            return True, f"it does not offer the SASL mechanism {settings.sasl_mechanism}"
        except ssl.SSLCertVerificationError as cause:
            return True, f"its certificate is not trusted: {cause.verify_message}"
        except ssl.SSLError as cause:
            return True, f"TLS fails: {cause.reason or cause}"
        except OSError as cause:
            return False, cause.strerror or str(cause) or "no answer"
        except (aiokafka.errors.KafkaError, TimeoutError):
            continue
        connection.close()
    return False, str(error) or "no answer"


async def stopped(client: object, *, patience_s: float = STOP_S) -> None:
    """Stop an aiokafka client of any kind, whatever state it is in, in bounded time.

    Raises
    ------
    CancelledError : only when the calling task itself is cancelled
    """
    stop = getattr(client, "stop", None) or getattr(client, "close", None)
    if stop is None:
        return
    farewells = asyncio.ensure_future(_cut_farewells(client))
    try:
        if await _ended(stop(), patience_s):
            return
    finally:
        farewells.cancel()
    # A producer waits for its last messages; without its broker they cannot go.
    sender = getattr(client, "_sender", None)
    if sender is not None:
        # Its own close() waits for requests that look for the broker for ever.
        tasks = [task for task in asyncio.all_tasks() if _works_for(sender, task)]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)
    inner = getattr(client, "client", None) or getattr(client, "_client", None)
    if inner is not None:
        await _ended(inner.close(), CLOSE_S)


async def _cut_farewells(client: object) -> None:
    """Break off connections that a client has closed and that stay open; runs until it is cancelled.

    Over TLS, uvloop waits up to 30 s for the other end's word of parting while data still comes in (its issue 471), and
    aiokafka waits for that.
    """
    open_ones: dict[int, tuple[Any, Any]] = {}
    while True:
        inner = getattr(client, "client", None) or getattr(client, "_client", None)
        for connection in list(getattr(inner, "_conns", {}).values()):
            writer = getattr(connection, "_writer", None)
            if writer is not None:
                open_ones[id(connection)] = (connection, writer.transport)
        await asyncio.sleep(FAREWELL_S)
        for connection, transport in open_ones.values():
            if not connection.connected():
                transport.abort()  # of no effect on one that is closed


async def _ended(closing: Awaitable[None], patience_s: float) -> bool:
    """Return whether a client's closing ended well in time.

    It runs in a task of its own, since it cancels tasks that it awaits: a consumer that stops while its broker is gone
    cancels its own fetches, a client over TLS its own connections, and both let that out.
    """
    task = asyncio.ensure_future(closing)
    try:
        await asyncio.wait({task}, timeout=patience_s)
    finally:
        task.cancel()  # of no effect on one that is done
    if not task.done():
        await asyncio.wait({task}, timeout=CLOSE_S)
    if not task.done() or task.cancelled():
        return False
    error = task.exception()
    if error is not None and not isinstance(error, aiokafka.errors.KafkaError | OSError | TimeoutError):
        raise error
    return error is None


def _works_for(owner: object, task: asyncio.Task[Any]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and frame.f_locals.get("self") is owner
