"""A process that records a long stream into a database, and says after each transaction how far it has come.

It is started by ``test_kill.py`` and killed there. Its arguments: the database's URL, a seed.
"""

import random
import sys

from alerting.database.engine import address
from alerting.history.store import AlarmStore, Entry
from tests.alerting.alerts import alert
from tests.alerting.history.entries import ALERTS, CLUSTER, COMMANDS, command, entry

MESSAGES = 600
ALARMS = 40


def stream() -> list[Entry]:
    """Alerts of many alarms in turn, and a command beside each fifth."""
    published = [
        entry(ALERTS, number, alert(id=f"p1/{number % ALARMS}/x", sequence=number // ALARMS))
        for number in range(MESSAGES)
    ]
    return published + [entry(COMMANDS, number, command(number)) for number in range(MESSAGES // 5)]


def main() -> None:
    """Record on from where the database stands."""
    seeded = random.Random(int(sys.argv[2]))
    store = AlarmStore(address(sys.argv[1]), cluster=CLUSTER)
    store.open()
    at = store.places()
    left = [each for each in stream() if each.offset >= at.get(each.place, 0)]
    seeded.shuffle(left)  # between the partitions only: each stays in its order
    order = [each.place for each in left]
    partitions = {place: iter(sorted((e for e in left if e.place == place), key=lambda e: e.offset)) for place in order}
    left = [next(partitions[place]) for place in order]
    while left:
        size = seeded.randint(1, 12)
        store.record(left[:size])
        left = left[size:]
        sys.stdout.write(f"{sum(store.places().values())}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
