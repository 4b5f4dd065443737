"""Memory of the service, and the shares of patients and scoring processes.

A scoring process opens strangers' files; the page holds every viewer. So the page's part is set aside first, what is
left is dealt out to the scoring processes, and the system is told to end those first when it comes to that.
"""

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MIB = 1 << 20
PAGE_BYTES = 224 * MIB  # the page without patients takes 190, viewers and requests some more
LEAST_PATIENTS_BYTES, MOST_PATIENTS_BYTES = 48 * MIB, 1024 * MIB
PATIENTS_SHARE = 8  # the part of all memory that is for what is kept of patients
LEAST_BYTES = 192 * MIB  # a scoring process that has loaded its models takes 110: less is left for no file
MOST_BYTES = 4096 * MIB  # a day of two leads takes a quarter; what takes more is a trick
_UNBOUNDED = 1 << 60  # cgroup v1 writes "no limit" as a number near 2**63
_LAST = "1000"  # oom_score_adj: of all processes this one is ended first


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Shares of the service's memory.

    Attributes
    ----------
    patients_bytes : for what is kept of patients
    processes : how many scoring processes there may be side by side
    bytes_each : what each of them may take, with its models
    """

    patients_bytes: int
    processes: int
    bytes_each: int


def deal_out(total_bytes: int | None, *, wanted: int) -> Memory:
    """Deal out memory: to fewer scoring processes where there is little.

    Parameters
    ----------
    total_bytes : of page and scoring processes together; None where nothing bounds it
    wanted : scoring processes that the settings ask for
    """
    if total_bytes is None:
        return Memory(patients_bytes=MOST_PATIENTS_BYTES, processes=wanted, bytes_each=MOST_BYTES)
    patients = min(MOST_PATIENTS_BYTES, max(LEAST_PATIENTS_BYTES, total_bytes // PATIENTS_SHARE))
    left = max(total_bytes - PAGE_BYTES - patients, LEAST_BYTES)
    processes = max(1, min(wanted, left // LEAST_BYTES))
    return Memory(patients_bytes=patients, processes=processes, bytes_each=min(MOST_BYTES, left // processes))


def all_bytes(setting_mb: int | None) -> int | None:
    """Return what page and scoring processes may take together; None where nothing bounds it.

    Parameters
    ----------
    setting_mb : what the settings say, MiB; None for the container's limit, or the machine's memory
    """
    if setting_mb is not None:
        return setting_mb * MIB
    return min((limit for limit in (memory_limit(), all_memory()) if limit is not None), default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the bytes that the control groups of this process allow; None where they allow all.

    The smallest limit of its group and of those above it, as far as they can be seen from here: version 2
    (``memory.max``) and version 1 (``memory.limit_in_bytes``).

    Parameters
    ----------
    root : where ``proc`` and the mounted groups lie
    """
    limits = []
    with contextlib.suppress(OSError, ValueError):  # no Linux, or no such file system
        groups = _groups((root / "proc/self/cgroup").read_text())
        for kind, name, mounted, mount_root in _mounts((root / "proc/self/mountinfo").read_text()):
            if kind in groups:
                below = PurePosixPath(groups[kind])
                # In a container the mount shows the container's own group as the top.
                inside = below.relative_to(mount_root) if below.is_relative_to(mount_root) else PurePosixPath()
                limits += _limits(root / mounted.lstrip("/"), inside, name)
    return min(limits, default=None)


def all_memory() -> int | None:
    """The machine's memory in bytes; None where it does not say."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def go_first() -> None:
    """Let the system end this process before any other when memory runs out; it is replaced."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_LAST, encoding="ascii")


def bound(total_bytes: int) -> None:
    """Let this process take so much memory and no more: what asks for more gets a MemoryError.

    What is there already counts. The limit is on data (RLIMIT_DATA), which is nearly what is held; the address space,
    of which libraries reserve more than they touch, has the bound of any process.

    Parameters
    ----------
    total_bytes : of the process, with what it holds now
    """
    with contextlib.suppress(ImportError, ValueError, OSError):  # where the system knows no such limit
        import resource  # noqa: PLC0415 - there is none on Windows

        reserved = _kilobytes(_status(), "VmData") * 1024
        more = max(total_bytes - held_bytes(), total_bytes // 8)
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        data = reserved + more if most == resource.RLIM_INFINITY else min(most, reserved + more)
        resource.setrlimit(resource.RLIMIT_DATA, (data, most))
        resource.setrlimit(resource.RLIMIT_AS, (2 * MOST_BYTES, 2 * MOST_BYTES))


def held_bytes() -> int:
    """Return the bytes that this process holds and no file backs; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError):
        return _kilobytes(_status(), "RssAnon") * 1024
    return 0


def _status() -> str:
    return Path("/proc/self/status").read_text(encoding="utf-8")


def _kilobytes(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise ValueError(f"/proc/self/status has no {name}")
    return int(found[1])


def _groups(text: str) -> dict[str, str]:
    """The group of this process by kind of control group that bounds memory."""
    found = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found["cgroup2"] = path
        elif "memory" in controllers.split(","):
            found["cgroup"] = path
    return found


def _mounts(text: str) -> list[tuple[str, str, str, str]]:
    """(kind, name of the limit's file, where it is mounted, which group is its top) of what bounds memory."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or len(kinds) < 3:  # as proc(5) has them
            continue
        if kinds[0] == "cgroup2":
            found.append(("cgroup2", "memory.max", fields[4], fields[3]))
        elif kinds[0] == "cgroup" and "memory" in kinds[2].split(","):
            found.append(("cgroup", "memory.limit_in_bytes", fields[4], fields[3]))
    return found


def _limits(mounted: Path, inside: PurePosixPath, name: str) -> list[int]:
    """The limits of a group and of all above it."""
    found = []
    for group in (inside, *inside.parents):
        with contextlib.suppress(OSError, ValueError):  # "max", or a group that has no such limit
            limit = int((mounted / str(group).lstrip("/") / name).read_text())
            if limit < _UNBOUNDED:
                found.append(limit)
    return found
