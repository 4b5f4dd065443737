import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from ops.signals import STOPPING, stop_on_signals

DEADLINE_S = 30.0


@pytest.mark.parametrize("number", STOPPING)
async def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), DEADLINE_S)


async def test_afterwards_the_ordinary_handling_is_back() -> None:
    with stop_on_signals():
        pass
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_second_signal_ends_a_service_that_hangs() -> None:
    program = textwrap.dedent("""
        import asyncio
        from ops.signals import stop_on_signals

        async def hang():
            with stop_on_signals() as stop:
                print("up", flush=True)
                await stop.wait()
                print("asked", flush=True)
                await asyncio.Event().wait()

        asyncio.run(hang())
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        try:
            assert service.stdout.readline() == "up\n"
            service.send_signal(signal.SIGTERM)
            while (line := service.stdout.readline()) != "asked\n":
                assert line  # the log of the first signal comes before it
            service.send_signal(signal.SIGTERM)
            assert service.wait(DEADLINE_S) == -signal.SIGTERM
        finally:
            service.kill()
