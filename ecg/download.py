"""One file over HTTP: resumed where it was cut, and whole by its hash or not there at all."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import requests
import stamina

from ecg.errors import EcgStreamError

ATTEMPTS = 6
WAIT_S = 0.5  # before the second attempt; doubles from there
TIMEOUT_S = (10.0, 60.0)  # to connect, and between two pieces
_PIECE_BYTES = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another attempt may cure


class _Interrupted(Exception):  # noqa: N818 - never leaves this file
    """Failure that another attempt may cure."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    session: requests.Session,
    url: str,
    target: Path,
    *,
    expected_sha256: str | None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Fetch a file, going on where an earlier attempt was cut (``<target>.part``).

    Parameters
    ----------
    session : the connection to use
    url : where the file is
    target : where to put it; it appears only when whole
    expected_sha256 : what the file must hash to; None where nobody publishes a hash
    progress : called with the bytes that have come so far

    Raises
    ------
    EcgStreamError : when the file is not there, the network fails again and again, the hash is wrong, or the disk full
    """
    part = target.with_name(target.name + ".part")
    try:
        for attempt in stamina.retry_context(
            on=(_Interrupted, requests.RequestException), attempts=ATTEMPTS, wait_initial=WAIT_S, timeout=None
        ):
            with attempt:
                _continue(session, url, part, progress)
                _check_hash(part, expected_sha256)
        part.replace(target)
    except (_Interrupted, requests.RequestException) as error:
        raise EcgStreamError(
            f"{url} could not be fetched in {ATTEMPTS} attempts ({error}): check the network and run it again, "
            "it goes on where it stopped"
        ) from error
    except OSError as error:
        raise EcgStreamError(f"{target} cannot be written ({error}): free the disk or choose another folder") from error


def _check_hash(part: Path, expected_sha256: str | None) -> None:
    if expected_sha256 is not None and sha256(part) != expected_sha256:
        part.unlink()  # what was resumed may have been another file: once more, from the start
        raise _Interrupted(f"its SHA-256 is not the published {expected_sha256[:16]}...")


def _continue(session: requests.Session, url: str, part: Path, progress: Callable[[int], None]) -> None:
    held = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{held}":
                return  # all of it came before; the hash decides
            part.unlink()
            raise _Interrupted(f"the server holds fewer than the {held} bytes fetched before")
        if response.status_code in _PASSING:
            raise _Interrupted(f"status {response.status_code}")
        if response.status_code not in {requests.codes.ok, requests.codes.partial_content}:
            raise EcgStreamError(f"{url} answers {response.status_code} {response.reason}: check the address")
        resumed = response.status_code == requests.codes.partial_content
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            part.unlink()
            raise _Interrupted("the server resumed at another place")
        came = held if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            for piece in response.iter_content(_PIECE_BYTES):
                file.write(piece)
                came += len(piece)
                progress(came)
