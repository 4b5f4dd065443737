"""A writer is killed with SIGKILL at seeded moments, again and again; the history is whole all the same."""

import random
import subprocess
import sys
from pathlib import Path

from sqlalchemy import URL

from alerting.history.store import AlarmStore, Recorded
from tests.alerting.history.entries import CLUSTER, everything
from tests.alerting.history.writer import stream

ROOT = Path(__file__).resolve().parents[3]
KILLS = 4


def test_a_writer_that_is_killed_at_any_moment_loses_and_doubles_nothing(url: URL) -> None:
    seeded = random.Random(7)
    named = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
    store = AlarmStore(url, cluster=CLUSTER)
    reached = 0
    for life in range(KILLS + 1):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.alerting.history.writer", named, str(life)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            said = reached
            # The kill comes while it is in the transaction that follows, at no place that we choose.
            for _ in range(seeded.randint(1, 12) if life < KILLS else sys.maxsize):
                line = writer.stdout.readline()
                if not line:
                    break
                said = int(line)
            if life < KILLS:
                writer.kill()
        kept = everything(store)
        places = store.places()
        reached = sum(places.values())
        assert said <= reached, "what was said to be recorded is"
        assert len(kept["alarm_events"]) + len(kept["actions"]) == reached, "rows and places are of one transaction"
    assert writer.returncode == 0
    assert 0 < reached == len(stream())
    assert store.record(stream()) == Recorded(events=0, actions=0, missing=0)
    store.close()
