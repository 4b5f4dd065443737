"""Rate limits for each caller: moving windows of a minute, in memory."""

import math
import time
from enum import StrEnum
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from ops.problems import ProblemError
from web.settings import WebSettings

MOST_KEYS = 20_000  # who came; beyond that all budgets begin anew, so that memory has an end
_V6_SITE_BITS = 64  # one customer's network: whoever has one address of it has all


class Budget(StrEnum):
    """Kinds of requests that are counted apart."""

    READS = "reads"
    COMMANDS = "commands"
    SCORES = "scores"
    FAILED_SIGN_INS = "failed sign-ins"


class Rates:
    """Counts what callers ask for."""

    def __init__(self, settings: WebSettings) -> None:
        self._limits = {
            Budget.READS: RateLimitItemPerMinute(settings.reads_per_minute),
            Budget.COMMANDS: RateLimitItemPerMinute(settings.commands_per_minute),
            Budget.SCORES: RateLimitItemPerMinute(settings.scores_per_minute),
            Budget.FAILED_SIGN_INS: RateLimitItemPerMinute(settings.failed_sign_ins_per_minute),
        }
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)

    def limit(self, budget: Budget) -> int:
        """Return how many a minute."""
        return self._limits[budget].amount

    def take(self, budget: Budget, who: str) -> bool:
        """Count one; False when there is none left."""
        if len(self._storage.events) > MOST_KEYS:
            self._storage.reset()
        return self._limiter.hit(self._limits[budget], budget, who)

    def wait_s(self, budget: Budget, who: str) -> int:
        """Return the seconds to the next one, at least one."""
        stats = self._limiter.get_window_stats(self._limits[budget], budget, who)
        return max(1, math.ceil(stats.reset_time - time.time()))


def too_many(rates: Rates, budget: Budget, key: str) -> ProblemError:
    """Return the problem of a budget that is used up."""
    wait_s = rates.wait_s(budget, key)
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"more than {rates.limit(budget)} {budget} in a minute: wait {wait_s} s",
        headers={"Retry-After": str(wait_s)},
    )


def network_of(host: str | None) -> str:
    """Return an address itself, or the network of an IPv6 address."""
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or "unknown"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> _V6_SITE_BITS << _V6_SITE_BITS))
    return str(address)
