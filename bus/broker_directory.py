"""The local broker's data directory: made, locked, watched for space, read after a death, thrown away."""

import fcntl
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import IO

from ecg.errors import EcgStreamError

THROWN_AWAY = "ecgstream-kafka-"
MIN_FREE_BYTES = 64 * 2**20  # below this the broker dies while it makes its first log segments
FULL_BYTES = 8 * 2**20  # a broker that died with less free than this died of it
TAIL_BYTES = 65_536
ORPHAN_S = 60.0  # younger ones may belong to a process that has not locked its directory yet
LOCK = "lock"
KAFKA_LOG = "kafka.log"  # what Kafka logs
JAVA_LOG = "java.log"  # what Java says before and beside it

_REMEDIES = {
    "Address already in use": "another program took its port: choose another port",
    "OutOfMemoryError": "give it more heap",
    "meta.properties": "the directory is not this broker's: name another",
}


class DataDirectory:
    """The directory of one broker; no second broker can open it at the same time.

    Parameters
    ----------
    named : the directory; None makes one that ``close`` throws away
    """

    def __init__(self, named: Path | None) -> None:
        self._named = named
        self._path: Path | None = None
        self._lock: IO[bytes] | None = None

    @property
    def path(self) -> Path:
        """The directory, absolute."""
        if self._path is None:
            raise RuntimeError("the directory has not been opened")
        return self._path

    @property
    def topics(self) -> Path:
        """The folder in which Kafka keeps the topics."""
        return self.path / "topics"

    @property
    def thrown_away(self) -> bool:
        """True when nobody wants the data afterwards."""
        return self._named is None

    @property
    def formatted(self) -> bool:
        """True once Kafka has prepared it."""
        return (self.topics / "meta.properties").exists()

    def open(self) -> None:
        """Make the directory where it is missing, and take it for this process.

        Raises
        ------
        EcgStreamError : when it cannot be written, another broker has it, or its disk is full
        """
        where = self._named or Path(tempfile.gettempdir())
        try:
            if self._path is None:
                if self._named is None:
                    remove_orphans(where)
                    self._path = Path(tempfile.mkdtemp(prefix=THROWN_AWAY))
                else:
                    # Absolute, since Kafka runs in the directory itself.
                    self._path = self._named.absolute()
            self.topics.mkdir(parents=True, exist_ok=True)
            taken = self._lock is not None or self._take()
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise EcgStreamError(
                f"cannot write the broker's data to {where}: {error.strerror}: make it writable or name another"
            ) from error
        if not taken:
            raise EcgStreamError(f"another broker uses {self.path}: end it or name another directory")
        if free < MIN_FREE_BYTES:
            raise EcgStreamError(
                f"the disk under {self.path} is full: {free >> 20} MB free, Kafka needs at least "
                f"{MIN_FREE_BYTES >> 20} MB: free some or name another directory"
            )

    def _take(self) -> bool:
        self._lock = _locked(self.path)
        return self._lock is not None

    def write(self, name: str, text: str) -> Path:
        """Write a configuration file that only this user can read: it may hold passwords.

        Raises
        ------
        EcgStreamError : when it cannot be written
        """
        file = self.path / name
        try:
            file.touch(mode=0o600)
            file.write_text(text)
        except OSError as error:
            raise EcgStreamError(f"cannot write {file}: {error.strerror}: make the directory writable") from error
        return file

    def close(self) -> None:
        """Let the directory go; one without a name is removed."""
        if self._path is not None and self.thrown_away:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def tail(self, name: str) -> str:
        """The end of a log file; empty where there is none."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def last_log_lines(self) -> str:
        """The last lines that tell of an error, or the last ones at all, as one line."""
        lines = [
            line.strip()
            for name in (JAVA_LOG, KAFKA_LOG)
            for line in self.tail(name).splitlines()
            if line.strip() and not line.startswith("\tat ")
        ]
        errors = [line for line in lines if re.search(r" (ERROR|FATAL) |Exception|Error|No space left", line)]
        last = (errors or lines)[-3:]
        return "its last words: " + " | ".join(line[:300] for line in last) if last else "it left no word"

    def death(self, what: str, status: int) -> EcgStreamError:
        """Return the error of a broker that died, one line with its remedy.

        Parameters
        ----------
        what : what it did, to stand behind "Kafka"
        status : its exit status, negative for a signal
        """
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        log_lines = self.last_log_lines()
        try:
            free = shutil.disk_usage(self.path).free
        except OSError:
            return EcgStreamError(f"Kafka {what} {how}: its directory {self.path} is gone: do not remove it meanwhile")
        if free < FULL_BYTES or "No space left" in log_lines:
            return EcgStreamError(
                f"Kafka {what} {how}: the disk under {self.path} is full ({free >> 20} MB free): "
                "free some or name another directory; what was acknowledged is kept"
            )
        remedy = next((text for sign, text in _REMEDIES.items() if sign in log_lines), "mend that and start it again")
        return EcgStreamError(f"Kafka {what} {how}; {log_lines}: {remedy}")


def remove_orphans(where: Path) -> None:
    """Remove throwaway directories whose process was killed before it could."""
    for orphan in where.glob(THROWN_AWAY + "*"):
        try:
            if time.time() - (orphan / LOCK).stat().st_mtime < ORPHAN_S:
                continue
            lock = _locked(orphan)
        except OSError:  # another user's, or just gone
            continue
        if lock is not None:
            with lock:
                shutil.rmtree(orphan, ignore_errors=True)


def _locked(directory: Path) -> IO[bytes] | None:
    """A lock that ends with this process, however it ends; None where another process holds it."""
    file = (directory / LOCK).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
