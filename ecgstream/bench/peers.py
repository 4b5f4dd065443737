"""Peers: the detector's job written with other stream processors, beside the product, in one run."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bus.settings import KafkaSettings
from ecgstream.bench.capacity import CapacityPlan, machine
from ecgstream.bench.peer_log import different, latency_ms, lost, silence_s
from ecgstream.bench.peer_programs import Peer, PeerUnavailableError
from ecgstream.bench.peer_run import run_beside
from ecgstream.failures import one_line

PRODUCT = "ecgstream"
BISECTIONS = 2  # after the doubling: within a quarter of the most patients


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersPlan:
    """Plan of a comparison.

    Attributes
    ----------
    replay : what is replayed
    kill : whether each is killed in a second run
    seed : of the moment of the kill
    search : whether the most patients that each keeps up with are looked for, beginning with those of the replay
    """

    replay: CapacityPlan
    kill: bool = True
    seed: int = 0
    search: bool = False

    @property
    def kill_after_s(self) -> float:
        """Seconds from the start of the replay to the kill: with windows before it, and enough after it."""
        return self.replay.duration_s * random.Random(self.seed).uniform(0.4, 0.6)  # noqa: S311 # seeded, not secret


async def run_peers(
    plan: PeersPlan, peers: dict[str, Peer], *, report_line: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure the product and each peer, one after the other.

    Parameters
    ----------
    plan : what is replayed
    peers : by name
    report_line : takes a line on what goes on

    Returns
    -------
    the JSON object of ``ecgstream bench peers --json``; a peer that cannot be measured has its reason there

    Raises
    ------
    EcgStreamError : when the product fails
    """
    found: dict[str, Any] = {}
    for name, peer in {PRODUCT: None, **peers}.items():
        report_line(f"{name} ...")
        try:
            found[name] = await measure(plan, name, peer, report_line=report_line)
        except PeerUnavailableError as error:
            found[name] = {"unavailable": str(error)}
            report_line(f"{name} is left out: {error}")
        except Exception as error:  # whatever a peer does, the others are measured
            if peer is None:
                raise
            found[name] = {"failed": one_line(error)}
            report_line(f"{name} failed: {one_line(error)}")
    return {
        "patients": plan.replay.patients,
        "duration_s": plan.replay.duration_s,
        "chunk_ms": plan.replay.chunk_ms,
        "partitions": KafkaSettings(_env_file=None).partitions,
        "killed_after_s": round(plan.kill_after_s, 1) if plan.kill else None,
        "peers": found,
        "machine": machine(),
    }


async def measure(
    plan: PeersPlan, name: str, peer: Peer | None, *, report_line: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure one peer; None is the product.

    Raises
    ------
    PeerUnavailableError : when its environment cannot be made
    EcgStreamError : when it fails
    """
    run = await run_beside(plan.replay, name, peer)
    judged = len(run.log.scores)
    report: dict[str, Any] = {
        "guarantee": peer.guarantee if peer else "exactly once",
        "kept_up": run.kept_up,
        "windows": judged,
        "expected_windows": len(run.expected),
        "lost": lost(run.expected, run.log),
        "duplicated": run.log.doubled,
        "latency_ms": latency_ms(run.log),
        "cpu_ms_per_window": round(1000 * run.usage.cpu_s / judged, 2),
        "rss_mb": run.usage.rss,
        "replay_s": round(run.replay_s, 1),
    }
    if plan.kill:
        report_line(f"{name}, killed ...")
        run = await run_beside(plan.replay, name, peer, kill_after_s=plan.kill_after_s)
        report["after_kill"] = {
            "patients": plan.replay.patients,
            "windows": len(run.expected),
            "lost": lost(run.expected, run.log),
            "duplicated": run.log.doubled,
            "different": different(run.expected, run.log),
            "silence_s": silence_s(run.killed_s or 0.0, run.log),
        }
    if plan.search:

        async def keeps_up(patients: int) -> bool:
            if patients == plan.replay.patients:
                return bool(report["kept_up"])
            report_line(f"{name}, {patients} patients ...")
            return (await run_beside(replace(plan.replay, patients=patients), name, peer)).kept_up

        report["patients_kept_up"] = await most_patients(keeps_up, plan.replay.patients)
    return report


async def most_patients(keeps_up: Callable[[int], Awaitable[bool]], start: int) -> int:
    """Return the most patients that are kept up with: doubled or halved from a start on, then bisected.

    Parameters
    ----------
    keeps_up : tells it of a number of patients
    start : the first number
    """
    good, bad = 0, 0
    patients = start
    while patients and not (good and bad):
        if await keeps_up(patients):
            good, patients = patients, 2 * patients
        else:
            bad, patients = patients, patients // 2
    for _ in range(BISECTIONS):
        between = (good + bad) // 2
        if not good or between in {good, bad}:
            break
        good, bad = (between, bad) if await keeps_up(between) else (good, between)
    return good


def as_table(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    columns = (
        "",
        "guarantee",
        "kept up",
        "CPU a window",
        "p50 / p99",
        "lost",
        "after kill -9: lost, doubled, different",
        "silence",
    )
    rows: list[Sequence[str]] = [columns, ["---"] * len(columns)]
    for name, found in report["peers"].items():
        if "latency_ms" not in found:
            rows.append([name, found.get("unavailable") or found["failed"], *[""] * (len(columns) - 2)])
            continue
        kept = "yes" if found["kept_up"] else "no"
        most = found.get("patients_kept_up")
        killed = found.get("after_kill")
        rows.append(
            [
                name,
                found["guarantee"],
                f"{kept}; at most {most}" if most is not None else kept,
                f"{found['cpu_ms_per_window']:.1f} ms",
                f"{found['latency_ms']['p50']:.0f} / {found['latency_ms']['p99']:.0f} ms",
                str(found["lost"]),
                f"{killed['lost']}, {killed['duplicated']}, {killed['different']} of {killed['windows']}"
                if killed
                else "-",
                f"{killed['silence_s']} s" if killed and killed["silence_s"] is not None else "-",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
