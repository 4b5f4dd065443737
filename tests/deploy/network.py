"""Loopback addresses of the services, one each, under which they know one another."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from random import SystemRandom
from types import TracebackType
from typing import Self

_PORT = 19092


class Network(Mapping[str, str]):
    """Addresses of services by name, in a part of 127.0.0.0/8 in which nobody listens."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        pick = SystemRandom()
        while True:
            part = f"127.{pick.randrange(16, 250)}.{pick.randrange(256)}"
            self._addresses = {name: f"{part}.{number}" for number, name in enumerate(self._names, 2)}
            self._held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._held.bind((f"{part}.1", _PORT))  # held, so that no other run on this machine takes the same part
            except OSError:
                self._held.close()
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def __getitem__(self, name: str) -> str:
        return self._addresses[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)
