"""One replay beside one program, a peer or the product's detector, on a fresh broker.

The program first gets warm on a patient of its own; then all is measured from outside: its processes, and its verdicts
as a read_committed subscriber sees them.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.samples import encode
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecg.wfdb_files import load_record
from ecg.windows import HOP_S
from ecgstream.bench.bench_broker import all_come, bench_broker, following
from ecgstream.bench.capacity import CapacityPlan
from ecgstream.bench.due_windows import windows_due
from ecgstream.bench.peer_log import WARM_UP, ScoreLog, kept_up, lost, silence_s
from ecgstream.bench.peer_programs import Peer, program_of
from ecgstream.bench.process_usage import ProcessUsage
from ecgstream.children import Command, Program
from producer.streams import Patient, cut

WARM_UP_S = 10  # seconds of record time of the warm-up's patient: two windows
START_S = 90.0  # no verdict so long after the start: something is wrong
RECOVER_S = 90.0  # no verdict so long after a kill: it does not come back
QUIET_S = 8.0  # no verdict has come for so long: what is missing is lost
QUIET_AFTER_KILL_S = 20.0  # the same where state is still being brought back
LATE_DOUBLES_S = 2.0  # what is doubled may come after what was missing
SAMPLE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One replay beside one program.

    Attributes
    ----------
    log : its verdicts
    expected : the windows that were due, with their scores where it was killed
    usage : of its processes from before the replay on; of a run in which it was not killed
    replay_s : how long the replay took, s
    killed_s : wall time of the kill
    """

    log: ScoreLog
    expected: dict[str, float | None]
    usage: ProcessUsage
    replay_s: float
    killed_s: float | None = None

    @property
    def kept_up(self) -> bool:
        """Return whether every window was judged, and none of the late ones late."""
        return lost(self.expected, self.log) == 0 and kept_up(self.log.latencies_ms)


async def _program(name: str, peer: Peer | None, kafka: KafkaSettings, folder: Path) -> Program:
    """A peer, or the product's detector."""
    if peer is None:
        return Command("detect", "detect", kafka=kafka, logs=folder)
    return await program_of(name, peer, kafka=kafka, folder=folder)


async def run_beside(plan: CapacityPlan, name: str, peer: Peer | None, *, kill_after_s: float | None = None) -> Run:
    """Replay patients beside a program that is warm, and wait for what is left.

    Parameters
    ----------
    plan : what is replayed
    name, peer : the program; None is the product's detector
    kill_after_s : seconds from the start of the replay to a SIGKILL, after which it is started anew; None for none
    """
    async with bench_broker() as broker:
        kafka, log = await broker.kafka(), ScoreLog()
        program = await _program(name, peer, kafka, broker.folder)
        async with following(kafka, log) as group, program:
            await _warm_up(plan, kafka)
            await all_come(lambda: log.warm > 0, lambda: log.warm, patience_s=START_S, check=program.check)
            if not log.warm:
                raise EcgStreamError(f"no verdict came in {START_S:g} s")
            usage = ProcessUsage(program.pid, tree=True)
            watching = group.create_task(_watch(usage)) if kill_after_s is None else None
            began_s, killed_s = time.monotonic(), None
            async with Command("replay", *plan.options, kafka=kafka, logs=broker.folder) as producer:
                while producer.running:
                    await program.check()
                    if kill_after_s is not None and killed_s is None and time.monotonic() - began_s > kill_after_s:
                        killed_s = time.time()
                        await program.kill()
                        await program.start()
                    await asyncio.sleep(SAMPLE_EVERY_S / 5)
                await producer.check()
            replay_s = time.monotonic() - began_s
            await _drain(log, program, expected=plan.patients * int(plan.duration_s // HOP_S), killed_s=killed_s)
            if watching is not None:
                usage.sample()
                watching.cancel()
        if not log.scores:
            raise EcgStreamError(f"no verdict on any of {plan.patients} patients came")
        due = await windows_due(kafka, scored=kill_after_s is not None)
        expected = {number: score for number, score in due.items() if not number.startswith(f"{WARM_UP}/")}
        return Run(log=log, expected=expected, usage=usage, replay_s=replay_s, killed_s=killed_s)


async def _drain(log: ScoreLog, program: Program, *, expected: int, killed_s: float | None) -> None:
    """Wait for all that is expected, or until nothing more comes."""
    if killed_s is not None:
        await all_come(
            lambda: silence_s(killed_s, log) is not None, lambda: 0, patience_s=RECOVER_S, check=program.check
        )
    patience_s = QUIET_S if killed_s is None else QUIET_AFTER_KILL_S
    await all_come(
        lambda: len(log.scores) >= expected, lambda: len(log.scores), patience_s=patience_s, check=program.check
    )
    if killed_s is not None:
        await asyncio.sleep(LATE_DOUBLES_S)


async def _watch(usage: ProcessUsage) -> None:
    while True:
        usage.sample()
        await asyncio.sleep(SAMPLE_EVERY_S)


async def _warm_up(plan: CapacityPlan, kafka: KafkaSettings) -> None:
    """Send some seconds of one patient: who has judged them has loaded its models and joined its group."""
    record = load_record(plan.records[0], plan.data)
    patient = Patient(id=WARM_UP, record=record, length=round(WARM_UP_S * record.fs_hz))
    async with KafkaPublisher(kafka) as publisher:
        for chunk in cut(patient, chunk_ms=plan.chunk_ms, start_ns=time.time_ns()):
            await publisher.send(Outgoing(topic=topics.SAMPLES, key=WARM_UP.encode(), value=encode(chunk)))
        await publisher.flush()
