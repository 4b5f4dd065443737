"""Failed sign-ins are counted by address, and slowed beyond a budget: whoever has a valid token never meets this.

A token is looked at before anything is counted, so nobody who guesses locks out those behind the same address. What
keeps tokens from being guessed is their length (256 bits); the budget keeps guessing from costing the service much.
"""

from ops.clock import Clock
from ops.problems import ProblemError
from web.safety.rates import Budget, Rates, too_many

SLOW_S = 2.0  # how long the answer to a failed sign-in beyond the budget is kept back
MOST_SLOWED = 50  # answers that are kept back at a time: each holds a connection


class FailedSignIns:
    """Counts failed sign-ins.

    Parameters
    ----------
    rates : how many an address may have
    """

    def __init__(self, rates: Rates, clock: Clock) -> None:
        self._rates = rates
        self._clock = clock
        self._slowed = 0

    async def count(self, address: str) -> ProblemError | None:
        """Count one; what is told, after a while, when there were too many.

        Parameters
        ----------
        address : as ``web.safety.gate.address_of`` gives it
        """
        if self._rates.take(Budget.FAILED_SIGN_INS, address):
            return None
        if self._slowed < MOST_SLOWED:
            self._slowed += 1
            try:
                await self._clock.sleep(SLOW_S)
            finally:
                self._slowed -= 1
        return too_many(self._rates, Budget.FAILED_SIGN_INS, address)
