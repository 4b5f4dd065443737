"""Past samples and verdicts for the page: from the hub where it reaches back far enough, else from Kafka."""

import asyncio
from typing import Self

from bus.messages import Verdict
from bus.sample_history import SampleHistory, StoredSamples
from bus.settings import KafkaSettings
from bus.verdict_history import VerdictHistory
from web.live.registry import PatientRegistry
from web.past.samples import SETTLE_S, between, filtered

_NS = 1_000_000_000


class Past:
    """Samples and verdicts of the past.

    To be used in ``async with``.

    Parameters
    ----------
    mains_hz : mains frequency that the detector takes out, Hz; None for none
    """

    def __init__(self, kafka: KafkaSettings, ward: PatientRegistry, *, mains_hz: float | None) -> None:
        self._samples = SampleHistory(kafka)
        self._verdicts = VerdictHistory(kafka)
        self._ward = ward
        self._mains_hz = mains_hz

    async def __aenter__(self) -> Self:
        await self._samples.__aenter__()
        await self._verdicts.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._verdicts.__aexit__()
        await self._samples.__aexit__()

    async def samples(self, patient: str, from_ns: int, to_ns: int, *, as_judged: bool = False) -> StoredSamples:
        """The samples of a stretch of time.

        Parameters
        ----------
        from_ns, to_ns : the stretch, ns UTC, its end excluded
        as_judged : filtered as the detector filters them

        Raises
        ------
        NoSamplesError : when there is none
        SearchLimitError : when the stretch is too long, or finding it would read too much
        BrokerError : when Kafka does not answer
        """
        if not as_judged:
            return await self._samples.read(patient, from_ns, to_ns)
        settle_ns = round(SETTLE_S * _NS)
        found = await self._samples.read(patient, from_ns - settle_ns, to_ns + settle_ns)
        judged = await asyncio.to_thread(filtered, found, mains_hz=self._mains_hz)
        return between(judged, from_ns, to_ns)

    async def verdicts(self, patient: str, from_ns: int, to_ns: int) -> list[Verdict]:
        """The verdicts on the windows that have something of a stretch, in the order of their time.

        Parameters
        ----------
        from_ns, to_ns : the stretch, ns UTC, its end excluded

        Raises
        ------
        SearchLimitError : when the stretch is too long, or finding it would read too much
        BrokerError : when Kafka does not answer
        """
        live = self._ward.patients.get(patient)
        if live is not None and live.verdicts.whole and live.verdicts.whole[0].start_ns <= from_ns:
            newest = [one for one in live.verdicts.whole if one.start_ns < to_ns and one.end_ns > from_ns]
            in_order = sorted({one.start_ns: one for one in newest}.values())
            return [Verdict.model_validate_json(one.value) for one in in_order]
        return await self._verdicts.read(patient, from_ns, to_ns)
