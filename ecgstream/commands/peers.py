"""The command that measures the detector beside the same job written with other stream processors."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Data, Json, Record


def bench_peers(
    *,
    patients: Annotated[int, typer.Option(min=1, metavar="N", help="Live patients.")] = 250,
    duration: Annotated[float, typer.Option(min=15, metavar="S", help="Seconds of record time of each.")] = 40.0,
    peers: Annotated[
        str | None, typer.Option(metavar="P,...", help="Peers, separated by commas.  [default: all of docs/peers.md]")
    ] = None,
    kill: Annotated[bool, typer.Option("--kill/--no-kill", help="Kill each with SIGKILL in a run of its own.")] = True,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed brings the same moment of the kill.")] = 0,
    search: Annotated[
        bool, typer.Option("--search", help="Look for the most patients that each keeps up with, too.")
    ] = False,
    record: Record = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Measure the detector beside the same job written with other stream processors, each on a broker of its own.

    Makes an environment for each peer below the data directory, once: from a checkout of the source, and with the
    network.
    """
    from ecgstream.bench.capacity import CapacityPlan
    from ecgstream.bench.peer_programs import peers_named
    from ecgstream.bench.peers import PeersPlan, as_table, run_peers
    from ecgstream.commands.benches import bench_settings
    from ecgstream.recordings import names_of, records_folder
    from ecgstream.running import print_result, run

    chosen = peers_named(peers.split(",") if peers else [])
    folder: Path = records_folder(data, bench_settings())
    replay = CapacityPlan(patients=patients, duration_s=duration, records=names_of(record or [], folder), data=folder)
    plan = PeersPlan(replay=replay, kill=kill, seed=seed, search=search)
    report = run(run_peers(plan, chosen, report_line=lambda line: typer.echo(line, err=True)))
    print_result([as_table(report)], report, json)
