"""Processes by their numbers, also where /proc is that of an outer process namespace."""

import os
from pathlib import Path

PROC = Path("/proc")


def number_in_proc(pid: int) -> int:
    """The number under which /proc has a process of this namespace.

    It is another one where a container or a changed root has kept the /proc of the system around it.

    Parameters
    ----------
    pid : as this process knows it

    Returns
    -------
    the number in /proc; ``pid`` itself where there is no /proc, or none such in it
    """
    own = PROC / "self"
    if not own.exists() or own.readlink().name == str(os.getpid()):
        return pid
    namespace = (own / "ns" / "pid").readlink()
    for entry in PROC.glob("[0-9]*"):
        try:
            if (entry / "ns" / "pid").readlink() == namespace and number_here(int(entry.name)) == pid:
                return int(entry.name)
        except OSError:  # it has ended, or is another user's
            continue
    return pid


def number_here(number: int) -> int:
    """The number by which the process itself is known in its own namespace, from that in /proc.

    Raises
    ------
    OSError : when it has ended
    """
    if not PROC.exists():
        return number
    for line in (PROC / str(number) / "status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return number  # a kernel without process namespaces
