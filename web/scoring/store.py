"""The recordings that are kept: who may see them, how long they stay, and how they go."""

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex

import structlog

from ops.clock import Clock
from ops.problems import ProblemError
from reports.scoring import DISK_FULL
from web.access import Caller
from web.scoring.answers import RecordingSummary
from web.scoring.kept import About, read_about, write_questionnaire
from web.scoring.questionnaire import Questionnaire
from web.settings import WebSettings

ID_BYTES = 16  # nobody guesses one of 2**128
DAY_NS = 86_400 * 10**9
MB = 1_000_000
LEAST_FREE_MB = 200  # of the disk: what else lives there must not choke on recordings
_ID = re.compile(r"[0-9a-f]{32}")

log = structlog.get_logger(__name__)


def state_folder(settings: WebSettings) -> Path:
    """Return the folder of recordings: the setting, else ``ecgstream/web`` in the user's state directory."""
    if settings.state is not None:
        return settings.state.expanduser()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "ecgstream" / "web"


def no_room() -> ProblemError:
    """Return the problem of a full disk."""
    return ProblemError(
        HTTPStatus.INSUFFICIENT_STORAGE,
        "the disk of the service is full: delete recordings, or tell the operator (ECGSTREAM_WEB_STATE, its folder)",
    )


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Tell a full disk as what it is.

    Raises
    ------
    ProblemError : when what is done inside finds no room
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise no_room() from error
        raise


class Store:
    """The recordings of one service.

    All its methods touch the disk: call them from a thread.

    Parameters
    ----------
    root : the folder
    keep_days : how long a recording stays
    keep_mb : how much all of them may take, MB; the oldest go first
    """

    def __init__(self, root: Path, *, keep_days: float, keep_mb: int, clock: Clock) -> None:
        self.recordings = root / "recordings"
        self._incoming = root / "incoming"
        self._trash = root / "trash"
        self._keep_ns = round(keep_days * DAY_NS)
        self._keep_bytes = keep_mb * MB
        self._clock = clock
        self._opened = False
        self._opening = threading.Lock()

    def open(self) -> None:
        """Make the folders, and clear away what a service before left unfinished; once.

        Raises
        ------
        ProblemError : when the folder cannot be used
        """
        with self._opening:
            if self._opened:
                return
            try:
                for folder in (self._incoming, self._trash):
                    shutil.rmtree(folder, ignore_errors=True)
                for folder in (self.recordings, self._incoming, self._trash):
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                log.exception("recordings_unusable", folder=str(self.recordings.parent))
                raise ProblemError(
                    HTTPStatus.INSUFFICIENT_STORAGE,
                    "the folder for recordings cannot be used: tell the operator (ECGSTREAM_WEB_STATE)",
                ) from error
            self._opened = True
            self.sweep()

    def begin(self) -> Path:
        """An empty folder for the files of one request; ``end`` it.

        Raises
        ------
        ProblemError : when the disk is nearly full
        """
        self.open()
        if shutil.disk_usage(self._incoming).free < LEAST_FREE_MB * MB:
            raise no_room()
        folder = self._incoming / token_hex(ID_BYTES)
        with room():
            folder.mkdir(mode=0o700)
        return folder

    def end(self, folder: Path) -> None:
        """Throw away what a request brought, and what makes the store too large."""
        shutil.rmtree(folder, ignore_errors=True)
        self.sweep()

    def seen_by(self, caller: Caller) -> list[RecordingSummary]:
        """The recordings that a caller may see, the newest first."""
        self.open()
        return [self._summary(about) for about in reversed(self._all()) if _may_see(caller, about)]

    def find(self, number: str, caller: Caller) -> tuple[Path, RecordingSummary]:
        """A recording's folder, and what a list shows of it.

        Raises
        ------
        ProblemError : when there is none of that id that the caller may see
        """
        self.open()
        folder = self.recordings / number
        about = None
        if _ID.fullmatch(number):
            with contextlib.suppress(FileNotFoundError):
                about = read_about(folder)
        if about is None or not _may_see(caller, about):
            raise ProblemError(
                HTTPStatus.NOT_FOUND, "there is no such recording: it was deleted, has expired, or is somebody else's"
            )
        return folder, self._summary(about)

    def save_questionnaire(self, number: str, caller: Caller, questionnaire: Questionnaire) -> None:
        """Keep what is told of the person behind a recording.

        Raises
        ------
        ProblemError : when there is no such recording, or no room
        """
        folder, _ = self.find(number, caller)
        with room():
            write_questionnaire(folder, questionnaire)

    def delete(self, number: str, caller: Caller) -> None:
        """Delete a recording and all that belongs to it.

        Raises
        ------
        ProblemError : when there is none of that id that the caller may see
        """
        self._delete(self.find(number, caller)[1].id)

    def sweep(self) -> None:
        """Delete what has expired, and the oldest of what takes too much room."""
        now_ns = self._clock.now_ns()
        kept_bytes, full = 0, False
        for about in reversed(self._all()):
            with contextlib.suppress(FileNotFoundError):  # somebody deletes it meanwhile
                kept_bytes += sum(file.stat().st_size for file in (self.recordings / about.id).iterdir())
            full = full or kept_bytes > self._keep_bytes
            if full or about.created_ns + self._keep_ns < now_ns:
                self._delete(about.id)

    def _all(self) -> list[About]:
        """Every recording, the oldest first; a folder that is none is left alone."""
        found = []
        for folder in self.recordings.iterdir():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
                found.append(read_about(folder))
        return sorted(found, key=lambda about: (about.created_ns, about.id))

    def _summary(self, about: About) -> RecordingSummary:
        return RecordingSummary(**about.model_dump(), expires_ns=about.created_ns + self._keep_ns)

    def _delete(self, number: str) -> None:
        gone = self._trash / token_hex(ID_BYTES)
        with contextlib.suppress(FileNotFoundError):  # somebody else was faster
            (self.recordings / number).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _may_see(caller: Caller, about: About) -> bool:
    return caller.role == "admin" or caller.name == about.owner
