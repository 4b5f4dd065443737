"""A service of the compose file as a container without an engine: root, user, environment, volumes and limits.

Its root file system holds this machine's programs, this Python and the project, all read-only; what the compose file
mounts lies where it says, and the service's memory and processes are limited by control groups of its own. All share
this machine's loopback network, each under an address of its own, by which the others know it through ``/etc/hosts``.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ecgstream.bench.memory_limit import MemoryLimit

GROUPS = Path("/sys/fs/cgroup")
PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
CONFIGURATIONS = ("alternatives", "fonts", "group", "java-*", "ld.so.cache", "localtime", "nsswitch.conf", "ssl")
WORK = "/tmp"  # noqa: S108  # the image's working directory, in memory
USERS = {"root": 0, "postgres": 70, "appuser": 1000, "ecgstream": 10001, "nobody": 65534}  # those of the images
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


@cache
def why_not() -> str | None:
    """Return the reason why containers cannot be made here; None when they can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "containers without an engine need Linux and root"
    if missing := [name for name in ("unshare", "setpriv", "chroot") if shutil.which(name) is None]:
        return f"containers without an engine need {', '.join(missing)}"
    with MemoryLimit("probe", 2**26) as limit:
        if not limit.enforced:
            return "containers without an engine need control groups for memory that this user may make"
    done = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    return None if done.returncode == 0 else "containers without an engine need mount namespaces"


def bytes_of(size: str) -> int:
    """Return the bytes that ``512M`` stands for."""
    return int(size[:-1]) * _UNITS[size[-1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A container.

    Attributes
    ----------
    name : of the service
    command : what runs in it
    user : uid:gid
    environment : all of it
    read_only : whether its root file system is
    tmpfs : folders in memory, as the compose file writes them
    mounts : by the path in the container, the folder or file here, and whether it may be written
    trees : folders of this machine beside ``PROGRAMS`` that its programs need, at their own paths
    memory : limit, as the compose file writes it
    pids : limit
    hosts : address of each service by its name
    """

    name: str
    command: Sequence[str]
    user: str
    environment: Mapping[str, str]
    read_only: bool
    tmpfs: Sequence[str]
    mounts: Mapping[str, tuple[Path, bool]]
    trees: Sequence[Path]
    memory: str
    pids: int
    hosts: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Container:
    """A container that runs; ``folder`` keeps its log and its root."""

    spec: Spec
    folder: Path
    limit: MemoryLimit = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        # The groups of a stack that a process ran before may still be there.
        group = f"{self.folder.parent.name}-{self.folder.name}"
        self.limit = MemoryLimit(group, bytes_of(self.spec.memory))
        self.limit.__enter__()
        assert self.limit.enforced
        self._pids = GROUPS / "pids" / f"ecgstream-{os.getpid()}-{group}"
        script = self.folder / "start.sh"
        script.write_text(_script(self.spec, self.folder))
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-e", script],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )
        self.limit.add(self.process.pid)
        if (GROUPS / "pids").is_dir():
            self._pids.mkdir(exist_ok=True)
            (self._pids / "pids.max").write_text(str(self.spec.pids))
            (self._pids / "cgroup.procs").write_text(str(self.process.pid))
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    _pids: Path = field(init=False)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def said(self) -> str:
        return f"{self.spec.name} ({self.process.poll()}, {self.limit.kills} killed for memory):\n{self.log()[-4000:]}"

    def status(self, key: str) -> list[str]:
        """Values that the kernel has of the process under a name."""
        (line,) = re.findall(rf"^{key}:\t(.*)$", Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)
        return str(line).split()

    def run(self, *command: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command beside the service, as ``docker compose exec`` does."""
        uid, gid = self.spec.user.split(":")
        enter = ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", f"--root=/proc/{self.process.pid}/root"]
        drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all"]
        return subprocess.run(
            [*enter, *drop, "env", f"--chdir={WORK}", *command],
            env=dict(self.spec.environment),
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def kill(self) -> None:
        """End it and whatever it has started, as a crash would."""
        if self.running:
            self.process.kill()
        self.process.wait()
        give_up_s = time.monotonic() + 10
        while (left := self._left()) and time.monotonic() < give_up_s:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _left(self) -> list[int]:
        """Processes that it started and that have not ended."""
        try:
            return [int(pid) for pid in (self._pids / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def close(self) -> None:
        """End it, and take its control groups away."""
        self.kill()
        self.limit.__exit__(None, None, None)
        with contextlib.suppress(OSError):
            self._pids.rmdir()


def _script(spec: Spec, folder: Path) -> str:
    """The shell's part: a root of its own, then user, environment and program."""
    uid, gid = spec.user.split(":")
    environment = " ".join(shlex.quote(f"{name}={value}") for name, value in spec.environment.items())
    root = _Root(folder / "root")
    root.bind_programs()
    root.bind(_written(folder / "hosts", _hosts(spec.hosts)), "/etc/hosts")
    root.bind(_written(folder / "passwd", _users()), "/etc/passwd")
    for tree in spec.trees:
        root.bind(tree, str(tree))
    for each in spec.tmpfs:
        place, _, options = each.partition(":")
        root.steps.append(f"mkdir -p {root.path}{place}; mount -t tmpfs -o {options} tmpfs {root.path}{place}")
    for target, (source, writable) in spec.mounts.items():
        root.bind(source, target, writable=writable)
    root.steps.append(f"mkdir -p -m 1777 {root.path}{WORK}")
    if spec.read_only:
        root.steps.append(f"mount -o remount,ro {root.path}")
    start = (
        f"exec chroot {root.path} setpriv --reuid={uid} --regid={gid} --clear-groups --no-new-privs "
        f"--bounding-set=-all --inh-caps=-all env -i --chdir={WORK} {environment} {shlex.join(spec.command)}"
    )
    return "\n".join(["read go", *root.steps, start, ""])


class _Root:
    """The steps that make a root file system in memory; ``path`` is where it is mounted."""

    def __init__(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        self.path = path
        self.steps = [f"mount -t tmpfs -o size=16m,mode=755 tmpfs {path}"]

    def bind(self, source: Path, target: str, *, writable: bool = False) -> None:
        """Let a file or folder of this machine be seen."""
        at = f"{self.path}{target}"
        made = f"mkdir -p {at}" if source.is_dir() else f"mkdir -p {Path(at).parent}; touch {at}"
        self.steps.append(f"[ -e {at} ] || {{ {made}; }}; mount --bind {source} {at}")
        if not writable:
            self.steps.append(f"mount -o remount,bind,ro {at}")

    def bind_programs(self) -> None:
        """Let this machine's programs be seen, and the kernel's own file systems."""
        for place in map(Path, PROGRAMS):
            if place.is_symlink():
                self.steps.append(f"ln -s {place.readlink()} {self.path}{place}")
            elif place.is_dir():
                self.bind(place, str(place))
        for place in (found for pattern in CONFIGURATIONS for found in Path("/etc").glob(pattern)):
            self.bind(place.resolve(), str(place))
        kernel = ("/proc", "/dev", "/sys")
        self.steps += [f"mkdir -p {self.path}{place}; mount --rbind {place} {self.path}{place}" for place in kernel]


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def _hosts(hosts: Mapping[str, str]) -> str:
    return "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in hosts.items())


def _users() -> str:
    return "".join(f"{name}:x:{uid}:{uid}::/nonexistent:/bin/false\n" for name, uid in USERS.items())
