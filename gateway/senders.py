"""Devices that are let in by their tokens, each with its budgets."""

from dataclasses import dataclass

from gateway.budgets import Allowance, DeviceBudget
from gateway.devices import Device
from gateway.refusals import RefusedError
from gateway.settings import GatewaySettings
from ops.clock import Clock
from ops.tokens import Tokens, hash_of

STORE_S = 30.0  # of its budget's rate that a device may send at once: what it held while it was out of reach
READING_COST = 0.1  # bytes of its budget that each byte costs which is read back from the topic for a device
SUBPROTOCOL = "ecgstream.v1"
_TOKEN_PROTOCOL = "token."  # noqa: S105 # a browser's script can name subprotocols of a WebSocket, and no headers


@dataclass(slots=True, kw_only=True)
class Sender:
    """A device that was let in.

    Attributes
    ----------
    device : its entry in the file
    budget : how much it may send
    """

    device: Device
    budget: DeviceBudget

    @property
    def name(self) -> str:
        """The device's name, as it stands in samples messages."""
        return self.device.name

    def charge_reading(self, read_bytes: int) -> None:
        """Count what was read back from the topic for it: who makes the gateway read far is held back for it."""
        self.budget.bytes.take(READING_COST * read_bytes)


class Senders:
    """Lets devices in.

    Parameters
    ----------
    devices : who there is
    """

    def __init__(self, devices: Tokens[Device], settings: GatewaySettings, *, clock: Clock) -> None:
        self._devices = devices
        self._settings = settings
        self._clock = clock
        self._budgets: dict[str, DeviceBudget] = {}  # by token: as many as there are in the file

    def enter(self, *, authorization: str | None, subprotocols: tuple[str, ...] = ()) -> Sender:
        """Return the device that a token is of.

        Parameters
        ----------
        authorization : the header
        subprotocols : of a WebSocket, among which a browser names its token

        Raises
        ------
        RefusedError : when no token came, or one that no device has
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            token = next(
                (name[len(_TOKEN_PROTOCOL) :] for name in subprotocols if name.startswith(_TOKEN_PROTOCOL)), ""
            )
        device = self._devices.find(token.strip(), now_ns=self._clock.now_ns())
        if device is None:
            raise RefusedError(
                "token",
                "no token came, or one that is not known or has expired: send 'Authorization: Bearer ...' with the "
                "one that 'ecgstream device-token' made",
            )
        return self._sender(device)

    def named(self, name: str) -> Sender:
        """Return the device of a name, whom somebody else has let in.

        Raises
        ------
        RefusedError : when there is none
        """
        device = self._devices.named(name, now_ns=self._clock.now_ns())
        if device is None:
            raise RefusedError("token", f"there is no device {name!r}: make its entry with 'ecgstream device-token'")
        return self._sender(device)

    def trusted(self, name: str, *, patient: str) -> Sender:
        """Return a sender that needs no token, with budgets as any device's: it is trusted as its network is."""
        return self._sender(Device(name=name, sha256=hash_of(f"{name} of {patient}"), patients=[patient]))

    def _sender(self, device: Device) -> Sender:
        rates = self._settings.bytes_per_s, self._settings.samples_per_s
        if (budget := self._budgets.get(device.sha256)) is None:
            bytes_, samples = (Allowance(rate, STORE_S * rate) for rate in rates)
            budget = self._budgets[device.sha256] = DeviceBudget(bytes=bytes_, samples=samples)
        return Sender(device=device, budget=budget)
