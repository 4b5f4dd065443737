"""The request with which users are made; aiokafka has none. Kafka's protocol, API 51."""

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

SCRAM_SHA_256 = 1  # the mechanism's number


class _ScramResponse(Response):  # type: ignore[misc] # aiokafka has no type information
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _ScramStruct(RequestStruct):  # type: ignore[misc] # as above
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _ScramResponse
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ScramRequest(Request[_ScramStruct]):  # type: ignore[misc] # as above
    """Sets the password of a user.

    Parameters
    ----------
    user : the name
    iterations : of the hash
    salt : drawn anew for each password
    salted_password : the hash: the password itself is not sent
    """

    API_KEY = 51

    def __init__(self, user: str, *, iterations: int, salt: bytes, salted_password: bytes) -> None:
        self._upsertion: tuple[str, int, int, bytes, bytes, dict[int, bytes]] = (
            user,
            SCRAM_SHA_256,
            iterations,
            salt,
            salted_password,
            {},
        )

    def build(self, request_struct_class: type[_ScramStruct]) -> _ScramStruct:
        """Return the message."""
        return request_struct_class([], [self._upsertion], {})
