"""Budgets of a device: how much it may send, and how many connections it may hold. Pure: the time is handed in."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Allowance:
    """Units that come back at a rate, up to a store of them.

    What is asked for is given whole as soon as anything is there, so that no single message is too large to go; the
    debt is waited for before the next.

    Attributes
    ----------
    per_s : units that come back in a second
    most : units that are stored at most
    """

    per_s: float
    most: float
    _held: float = field(init=False)
    _at_s: float | None = None

    def __post_init__(self) -> None:
        self._held = self.most

    def wait_s(self, now_s: float) -> float:
        """Return how long nothing may be taken, s; 0 when something may."""
        if self._at_s is not None:
            self._held = min(self.most, self._held + self.per_s * max(0.0, now_s - self._at_s))
        self._at_s = now_s
        return 0.0 if self._held > 0 else (1.0 - self._held) / self.per_s

    def take(self, units: float) -> None:
        """Take units, into debt where there are too few."""
        self._held -= units


@dataclass(slots=True, kw_only=True)
class DeviceBudget:
    """The budgets of one device.

    Attributes
    ----------
    bytes, samples : what it may send; samples of all leads count
    connections : it holds now
    """

    bytes: Allowance
    samples: Allowance
    connections: int = 0

    def wait_s(self, now_s: float) -> float:
        """Return how long it may send nothing, s."""
        return max(self.bytes.wait_s(now_s), self.samples.wait_s(now_s))

    def take(self, *, size: int, samples: int) -> None:
        """Count a message of a size in bytes and its samples."""
        self.bytes.take(size)
        self.samples.take(samples)
