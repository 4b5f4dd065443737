"""Users and their rights on the cluster: made as ``access.toml`` has them.

All raise ``BrokerError`` when Kafka cannot be reached or refuses.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest
from aiokafka.protocol.api import Request

from bus.access import EVERYWHERE, Right, access, rights
from bus.access_requests import ScramRequest
from bus.connection import BrokerError
from bus.settings import KafkaSettings
from bus.topic_admin import admin_of

ITERATIONS = 8192  # twice the least that Kafka takes; a password is hashed once for each connection
SALT_BYTES = 24
_ANY = 1  # of whatever a filter asks for
_ALLOW = 3
_USER = "User:"


async def apply_access(settings: KafkaSettings, passwords: Mapping[str, str]) -> tuple[list[Right], list[Right]]:
    """Give the users of ``access.toml`` their passwords, and exactly their rights.

    Parameters
    ----------
    settings : how to reach Kafka, as a user who may do all
    passwords : by user as ``access.toml`` names it; who has none here keeps the one that Kafka knows

    Returns
    -------
    the rights that were given, and those that were taken away
    """
    async with admin_of(settings) as admin:
        for user, password in passwords.items():
            await _set_password(admin, settings.topic_prefix + user, password)
        missing, surplus = await _differences(admin, settings)
        for right in missing:
            ((code, message),) = (await _asked(admin, CreateAclsRequest(*_acl(right)))).creation_responses
            _refuse(code, message, f"give {right}")
        for right in surplus:
            ((code, message, _),) = (await _asked(admin, DeleteAclsRequest(*_acl(right)))).filter_responses
            _refuse(code, message, f"take away {right}")
    return missing, surplus


async def access_differences(settings: KafkaSettings) -> tuple[list[Right], list[Right]]:
    """Return the rights that users lack, and those that they have beside the list.

    A right from a certain host alone, and a denial, are somebody else's and left alone.
    """
    async with admin_of(settings) as admin:
        return await _differences(admin, settings)


async def _differences(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> tuple[list[Right], list[Right]]:
    wanted = rights(settings)
    principals = {f"{_USER}{settings.topic_prefix}{user}" for user in access()}
    answer = await _asked(admin, DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    _refuse(answer.error_code, answer.error_message, "tell the rights")
    there = {
        Right(principal.removeprefix(_USER), resource, name, pattern, operation)
        for resource, name, pattern, entries in answer.resources
        for principal, host, operation, permission in entries
        if principal in principals and host == EVERYWHERE and permission == _ALLOW
    }
    return sorted(wanted - there), sorted(there - wanted)


async def _set_password(admin: AIOKafkaAdminClient, user: str, password: str) -> None:
    salt = secrets.token_bytes(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    request = ScramRequest(user, iterations=ITERATIONS, salt=salt, salted_password=salted)
    ((_, code, message, _),) = (await _asked(admin, request)).results
    _refuse(code, message, f"set the password of {user}")


def _acl(right: Right) -> tuple[int, str, int, str, str, int, int]:
    principal = f"{_USER}{right.user}"
    return right.resource, right.name, right.pattern, principal, EVERYWHERE, right.operation, _ALLOW


async def _asked(admin: AIOKafkaAdminClient, request: Request[Any]) -> Any:
    return await admin._send_request(request)  # noqa: SLF001  # aiokafka offers no public way


def _refuse(code: int, message: str | None, what: str) -> None:
    if code:
        raise BrokerError(
            f"Kafka does not {what} ({for_code(code).__name__}: {message or 'no more is said'}): come as a user who "
            "may alter the cluster, to a broker that has an authorizer"
        )
