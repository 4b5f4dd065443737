"""Hosts as addresses name them."""

import re
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Return whether a host, as written in an address, is this machine and cannot be another.

    Parameters
    ----------
    host : a name or an IP address; IPv6 with or without brackets
    """
    name = host.lower().removeprefix("[").removesuffix("]")
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(header: str | None) -> str | None:
    """The host of a Host header without its port, in lower case; None when it is not one."""
    match = _HOST.fullmatch(header or "")
    return match[1].lower() if match else None
