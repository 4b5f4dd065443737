"""The commands that measure what the system survives: faults, floods, starts, the loss of a detector or a broker."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.benches import bench, bench_settings, recordings_of, report
from ecgstream.commands.options import Data, Json, Record, judging_settings


class Victim(StrEnum):
    """Services that can be made to die."""

    DETECT = "detect"
    ALERT = "alert"
    GATEWAY = "gateway"


@bench.command("cluster")
def bench_cluster(
    *,
    detectors: Annotated[
        str, typer.Option(metavar="N,...", help="Detectors that share 12 partitions; a run for each number.")
    ] = "1,2,4",
    patients: Annotated[int, typer.Option(min=12, metavar="N", help="Live patients.")] = 120,
    calm: Annotated[float, typer.Option(min=10, metavar="S", help="Seconds over which the balance is taken.")] = 30.0,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Kill a detector and a broker of three, and roll every service, while patients are replayed at real pace."""
    from ecgstream.bench.cluster import ClusterPlan, run_cluster
    from ecgstream.bench.cluster_account import PARTITIONS
    from ecgstream.recordings import load_records
    from ecgstream.running import run
    from ecgstream.settings import OptionError

    numbers = detectors.split(",")
    if not all(number.isdecimal() and 1 <= int(number) <= PARTITIONS for number in numbers):
        raise OptionError(f"--detectors {detectors}: not numbers from 1 to {PARTITIONS}: write them as 1,2,4")
    folder, names = recordings_of(data, record or [])
    plan = ClusterPlan(detectors=tuple(map(int, numbers)), patients=patients, calm_s=calm)
    report(run(run_cluster(plan, load_records(names, folder))), json)


@bench.command("starts")
def bench_starts(
    *,
    starts: Annotated[int, typer.Option(min=1, metavar="N", help="Starts, each on a fresh broker.")] = 20,
    json: Json = None,
) -> None:
    """Start detector, alerting and page over SASL_SSL, again and again, and count how many are ready in time."""
    from ecgstream.bench.starts import run_starts
    from ecgstream.running import run

    bench_settings()
    report(run(run_starts(starts)), json)


@bench.command("flood")
def bench_flood(
    *,
    ids: Annotated[int, typer.Option(min=1, metavar="N", help="Patient ids that nobody has heard of.")] = 20_000,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Send patient ids without end past good patients, and see what each service carries and refuses, in what memory.

    Each runs within its container's limit where this user may make control groups; elsewhere it is only measured.
    """
    from ecgstream.bench.flood import FloodPlan, run_flood
    from ecgstream.recordings import load_records
    from ecgstream.running import run

    folder, names = recordings_of(data, record or [])
    report(run(run_flood(FloodPlan(ids=ids, records=load_records(names, folder)))), json)


def chaos(
    *,
    service: Annotated[
        Victim,
        typer.Option(
            help="Which service is made to die: alert and gateway are killed with SIGKILL; a gateway's "
            "connections are cut, too, twice as often."
        ),
    ] = Victim.DETECT,
    faults: Annotated[int, typer.Option(min=0, metavar="N", help="How many faults.")] = 10,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed brings the same faults.")] = 0,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Kinds of fault, separated by commas; by default all but sender: hostile and broken senders beside "
            "good patients."
        ),
    ] = None,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="How many patients are replayed.")] = 10,
    seconds: Annotated[
        float, typer.Option(min=10, metavar="S", help="Seconds of record time of each; of detect alone.")
    ] = 300.0,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Kill, stop and restart at seeded moments, and compare with the undisturbed run."""
    from detector.scorer import scorer_of
    from ecgstream.bench.chaos import KINDS, ChaosPlan, run_chaos
    from ecgstream.bench.sender_chaos import SenderPlan, run_sender_chaos, sender_kinds
    from ecgstream.recordings import WARD_SELECTION, load_records
    from ecgstream.running import run
    from ecgstream.settings import OptionError

    named = kinds.split(",") if kinds else []
    if of_senders := sender_kinds(named):
        senders = SenderPlan(faults=faults, seed=seed, kinds=of_senders, patients=patients)
        # Patients of different kinds, alarms of high priority too.
        folder, names = recordings_of(data, record or [WARD_SELECTION])
        report(run(run_sender_chaos(senders, load_records(names, folder))), json)
        return
    if service is Victim.ALERT:
        if kinds is not None:
            raise OptionError("--kinds: the alert service is killed and nothing else: leave it out")
        report(_alert_chaos(faults=faults, seed=seed, patients=patients, record=record, data=data), json)
        return
    if service is Victim.GATEWAY:
        from ecgstream.bench.gateway_chaos import GatewayChaosPlan, run_gateway_chaos

        if kinds is not None:
            raise OptionError("--kinds: the gateway is killed and cut off and nothing else: leave it out")
        devices = GatewayChaosPlan(kills=faults, seed=seed, patients=patients, record_s=seconds)
        folder, names = recordings_of(data, record or [])
        settings, _ = judging_settings(None)
        report(run(run_gateway_chaos(devices, load_records(names, folder), scorer_of(settings))), json)
        return
    plan = ChaosPlan(faults=faults, seed=seed, kinds=tuple(named) or KINDS, patients=patients, record_s=seconds)
    folder, names = recordings_of(data, record or [])
    report(run(run_chaos(plan, load_records(names, folder))), json)


def _alert_chaos(
    *, faults: int, seed: int, patients: int, record: list[str] | None, data: Path | None
) -> dict[str, object]:
    from detector.offline import verdicts_in
    from ecgstream.bench.alert_chaos import AlertChaosPlan, run_alert_chaos
    from ecgstream.evaluation import judged_each, judged_here
    from ecgstream.recordings import load_records
    from ecgstream.running import run

    folder, names = recordings_of(data, record or [])
    settings, rules = judging_settings(None)
    recordings = [verdicts_in(messages) for messages in judged_each(settings, judged_here, load_records(names, folder))]
    return run(run_alert_chaos(AlertChaosPlan(kills=faults, seed=seed, patients=patients), recordings, rules))
