"""Result of one check of ``ecgstream doctor``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ecg.errors import EcgStreamError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of a check.

    Attributes
    ----------
    check : what was looked at
    ok : whether it is as it should be
    found : what is there
    remedy : what to do when it is not ok; empty otherwise
    """

    check: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        """The finding as a line."""
        return f"{self.check}: {self.found}" + (f" → {self.remedy}" if self.remedy else "")


async def tried(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    """A check's finding; what it raises is one, too: its message ends with the remedy."""
    try:
        return await check()
    except EcgStreamError as error:
        found, _, remedy = str(error).rpartition(": ")
        return Finding(check=name, ok=False, found=found or str(error), remedy=remedy)
