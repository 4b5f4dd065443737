"""One child process that cannot outlive its parent."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Run by a bare Python between fork and exec: asks Linux to kill this process when its parent dies, even by
# SIGKILL, and ends at once when the parent died before it could ask. (Code between fork and exec of a threaded
# program is unsafe, so this is not a preexec_fn.) 1 is PR_SET_PDEATHSIG, 9 is SIGKILL.
_TIED_EXEC = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildProcess:
    """A program run as a child; on Linux the kernel kills it when this process ends, however it ends.

    Linux ties a child to the thread that made it, not to the process: it is made in a thread of its own that
    lives as long as the child does, since it waits for it.

    Parameters
    ----------
    command : the program and its arguments
    output : the file that its standard output and standard error go to; None leaves it this process's own
    directory : the working directory
    environment : its whole environment; None hands this process's on
    """

    def __init__(
        self, command: list[str], *, output: Path | None, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._environment = environment
        self._output = output
        self._directory = directory
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[subprocess.Popen[bytes]] = self._loop.create_future()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it.

        Raises
        ------
        OSError : when the program does not start
        """
        threading.Thread(target=self._run, name="child process", daemon=True).start()
        try:
            self._process = await asyncio.shield(self._started)
        except asyncio.CancelledError:
            self._started.add_done_callback(_kill)
            raise

    def _run(self) -> None:
        command = self._command
        if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "prctl"):
            command = [sys.executable, "-I", "-S", "-c", _TIED_EXEC, str(os.getpid()), *command]
        try:
            with contextlib.nullcontext() if self._output is None else self._output.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603  # a command this package builds
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=None if output is None else subprocess.STDOUT,
                    cwd=self._directory,
                    env=self._environment,
                    start_new_session=True,  # Ctrl-C is for the parent, which then stops it in order
                )
        except OSError as error:
            self._settle(self._started, error)
            return
        self._settle(self._started, process)
        self._settle(self._ended, process.wait())

    def _settle(self, future: asyncio.Future[Any], outcome: object) -> None:
        def settle() -> None:
            if future.done():
                return
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle)

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the process has not been started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while it runs."""
        return self._process is not None and not self._ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self._process is not None and not self._ended.done():
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end.

        Returns
        -------
        int : its exit status, negative for the signal that ended it
        """
        return await asyncio.shield(self._ended)


def _kill(started: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if started.exception() is None:
        started.result().kill()
