"""Free ports of this machine."""

import random
import socket
from contextlib import ExitStack

from ecg.errors import EcgStreamError

# Below the range that systems take outgoing connections from (32768 and up on Linux): a port that is free now is not
# taken by a client's connection before the server that was meant to have it listens.
LOWEST, HIGHEST = 20_000, 32_000
TRIES = 200


def free_ports(count: int, *, host: str = "127.0.0.1") -> list[int]:
    """Different ports that nothing listens on now.

    Raises
    ------
    EcgStreamError : when none is found
    """
    found: list[int] = []
    chooser = random.SystemRandom()  # not the seeded generator: two programs must not choose alike
    with ExitStack() as held:  # all at once, so that no port is found twice
        for _ in range(TRIES):
            if len(found) == count:
                break
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            port = chooser.randint(LOWEST, HIGHEST)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            found.append(port)
    if len(found) < count:
        raise EcgStreamError(f"no free port between {LOWEST} and {HIGHEST} on {host}: name one that is free")
    return found


def free_or(wanted: int, *, host: str = "127.0.0.1") -> int:
    """The port that is wanted where nothing listens on it, else a free one.

    Raises
    ------
    EcgStreamError : when none is found
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port just left is free
        try:
            probe.bind((host, wanted))
        except OSError:
            return free_ports(1, host=host)[0]
    return wanted
