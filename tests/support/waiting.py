"""Waiting for a condition, with a deadline."""

import asyncio
from collections.abc import Callable

DEADLINE_S = 60.0  # far beyond what a slow machine needs: reaching it is a failure, not a measurement


async def until(condition: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> None:
    """Return once the condition holds; TimeoutError after the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 # the condition is another task's or process's, not an event of ours
            await asyncio.sleep(0.02)
