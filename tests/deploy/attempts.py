"""Attempts of a user of Kafka, as single requests: what the broker answers is all that counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bus.settings import KafkaSettings
from bus.topic_admin import admin_of

_REFUSALS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed)


class Attempts:
    """What a user tries; each answer is whether it was let. Anything else that the broker says is a failure."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def read(self, topic: str) -> bool:
        answer = await self._asked(FetchRequest(10, 0, 1_000_000, 0, [(topic, [(0, 0, 1_000_000)])]))
        ((_, (partition,)),) = answer.topics
        return _let(partition[1])

    async def write(self, topic: str) -> bool:
        batch = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=1000,
        )
        batch.append(0, timestamp=0, key=b"attempt", value=b"", headers=[])
        answer = await self._asked(ProduceRequest(None, 1, 10_000, [(topic, [(0, bytes(batch.build()))])]))
        ((_, (partition,)),) = answer.topics
        return _let(partition[1])

    async def group(self, name: str) -> bool:
        return _let((await self._asked(FindCoordinatorRequest(name, 0))).error_code)

    async def transaction(self, name: str) -> bool:
        seen = _let((await self._asked(FindCoordinatorRequest(name, 1))).error_code)
        return _let((await self._asked(InitProducerIdRequest(name, 10_000))).error_code) and seen

    async def _asked(self, request: Any) -> Any:
        return await self._admin._send_request(request)


def _let(code: int) -> bool:
    error = for_code(code)
    assert code == 0 or error in _REFUSALS or "Coordinator" in error.__name__, error
    return error not in _REFUSALS


@asynccontextmanager
async def attempts(settings: KafkaSettings) -> AsyncIterator[Attempts]:
    """A user's attempts."""
    async with admin_of(settings) as admin:
        yield Attempts(admin)
