"""All patients as the topics tell of them. Pure: no clock, no network; any interleaving of the topics ends alike."""

from collections import OrderedDict

from bus.messages import Alert
from bus.samples import Chunk
from ecg.windows import HOP_S
from web.live.patient import Arrived, LivePatient
from web.live.share import DEFAULT_BYTES, MOST_PATIENTS, Share
from web.live.summary import PatientSummary, Place
from web.live.verdicts import VerdictHead

SILENT_MS = 10_000  # without samples: a tile says so; the alarm comes by its own rule
DORMANT_MS = 60_000  # without anything: no samples are kept, and another patient may take the place
FORGET_MS = 3_600_000  # a patient without an open alarm, of whom nothing came for so long, leaves the ward
_TRIES = 8  # patients with open alarms that are passed over for each one who comes


class TooManyPatientsError(Exception):
    """A message of a patient for whom there is no room."""


class PatientRegistry:
    """All patients.

    Parameters
    ----------
    most : patients; whoever comes then takes the place of one who is dormant without an open alarm, or is refused
    keep_bytes : of samples, verdicts and figures of all of them together

    Attributes
    ----------
    patients : by patient id
    share : how much is kept of each patient
    damaged : messages that were kept unread and turned out to be none
    """

    def __init__(self, *, most: int = MOST_PATIENTS, keep_bytes: int = DEFAULT_BYTES) -> None:
        self.patients: dict[str, LivePatient] = {}
        self.share = Share.of(keep_bytes, 0)
        self.damaged = 0
        self._most = most
        self._keep_bytes = keep_bytes
        self._heard_ms: OrderedDict[str, int] = OrderedDict()  # the one who was heard longest ago first
        self._silent: set[str] = set()
        self._touched: set[str] = set()
        self._several: set[str] = set()  # patients of whom several devices send

    def take_chunk(self, chunk: Chunk, sent_ms: int) -> Arrived | None:
        """Take samples in; None when there is nothing new to show of them.

        Parameters
        ----------
        sent_ms : when they were handed to Kafka, ms UTC

        Raises
        ------
        TooManyPatientsError : when there is no room for this patient
        """
        live = self._patient(chunk.patient, sent_ms)
        self._read(live)
        first, devices = live.latest is None, live.devices
        arrived = live.take_chunk(chunk, sent_ms, self.share)
        if first or live.devices != devices or (arrived and arrived.flags):
            self._touched.add(chunk.patient)
            if len(live.devices) > 1:
                self._several.add(chunk.patient)
        return arrived

    def let_wait(self, patient: str, value: bytes, partition: int) -> None:
        """See ``LivePatient.let_wait``."""
        self.patients[patient].let_wait(value, partition)

    def keep_unread(self, patient: str, value: bytes, partition: int, sent_ms: int) -> bool:
        """Keep a message of a patient whom nobody watches as it came; False where it has to be read at once.

        Parameters
        ----------
        partition : in which it came
        sent_ms : when it was handed to Kafka, ms UTC
        """
        live = self.patients.get(patient)
        if live is None or not live.keep_unread(value, partition, sent_ms, self.share):
            return False
        self._heard(patient, sent_ms)
        return True

    def read(self, patient: str) -> None:
        """Read what was kept of a patient as it came: somebody looks."""
        if live := self.patients.get(patient):
            self._read(live)

    def _read(self, live: LivePatient) -> None:
        if live.unread is not None:
            self.damaged += live.read_unread(self.share)

    def take_verdict(self, head: VerdictHead, value: bytes, *, offset: int, sent_ms: int) -> None:
        """Take a verdict in.

        Parameters
        ----------
        offset, sent_ms : where it lies in its partition, and since when

        Raises
        ------
        TooManyPatientsError : when there is no room for this patient
        """
        self._patient(head.patient, sent_ms).verdicts.add(head, value, offset, self.share)
        self._touched.add(head.patient)

    def take_alert(self, alert: Alert, *, sent_ms: int) -> None:
        """Take what was told of an alarm in.

        Parameters
        ----------
        sent_ms : since when it lies on the topic

        Raises
        ------
        TooManyPatientsError : when there is no room for this patient, which takes twice as many as for others
        """
        if alert.phase != "end":
            self._patient(alert.patient, sent_ms, alarmed=True).alarms[alert.id] = alert
        elif alert.patient in self.patients:
            self.patients[alert.patient].alarms.pop(alert.id, None)
        self._touched.add(alert.patient)

    def alarm_gone(self, alarm: str) -> Alert | None:
        """Take in that the topic holds nothing of an alarm any more: what was open of it, None as a rule.

        Parameters
        ----------
        alarm : its id, which begins with the patient's
        """
        patient = alarm.partition("/")[0]
        live = self.patients.get(patient)
        gone = live.alarms.pop(alarm, None) if live else None
        if gone is not None:
            self._touched.add(patient)
        return gone

    def changed_at(self, now_ms: int) -> list[PatientSummary]:
        """Those patients that look otherwise than at the last look; those long gone are forgotten."""
        for patient, live in list(self.patients.items()):
            unheard_ms = now_ms - self._heard_ms[patient]
            if unheard_ms > DORMANT_MS:
                self._read(live)
                live.forget_samples()
                if unheard_ms > FORGET_MS and not live.alarms:
                    self._forget(patient)
                    continue
            sent_ms = live.sent_ms
            silent = sent_ms is None or now_ms - sent_ms > SILENT_MS
            if silent != (patient in self._silent):
                self._silent ^= {patient}
                self._touched.add(patient)
        self._see_devices(now_ms)
        touched = sorted(self._touched & self.patients.keys())
        self._touched.clear()
        return [self.summary(patient) for patient in touched]

    def summary(self, patient: str) -> PatientSummary:
        """One patient in a line."""
        return self.patients[patient].summary(silent=patient in self._silent)

    def summaries(self) -> list[PatientSummary]:
        """All patients, in no order."""
        return [self.summary(patient) for patient in self.patients]

    def hop_s(self, patient: str) -> int:
        """Return how far apart a patient's windows are, s."""
        live = self.patients.get(patient)
        newest = live.verdicts.newest if live else None
        return newest.hop_s if newest else HOP_S

    def places(self) -> list[Place]:
        """Return where each patient stands, the most urgent first."""
        return sorted(live.place(silent=patient in self._silent) for patient, live in self.patients.items())

    def open_alarms(self) -> list[Alert]:
        """All open alarms, in no order."""
        return [alert for live in self.patients.values() for alert in live.alarms.values()]

    def _see_devices(self, now_ms: int) -> None:
        """See which of several devices have fallen silent."""
        for patient in list(self._several):
            live = self.patients.get(patient)
            devices = live.streams.devices(now_ms) if live else ()
            if live and devices != live.devices:
                live.devices = devices
                self._touched.add(patient)
            if len(devices) < 2:  # several
                self._several.discard(patient)

    def _patient(self, patient: str, heard_ms: int, *, alarmed: bool = False) -> LivePatient:
        live = self.patients.get(patient)
        if live is None:
            if len(self.patients) >= self._most and not self._made_room(heard_ms, alarmed=alarmed):
                raise TooManyPatientsError
            live = self.patients[patient] = LivePatient.empty(patient)
            self.share = Share.of(self._keep_bytes, len(self.patients))
        self._heard(patient, heard_ms)
        return live

    def _heard(self, patient: str, heard_ms: int) -> None:
        before_ms = self._heard_ms.get(patient, heard_ms)
        self._heard_ms[patient] = max(heard_ms, before_ms)
        self._heard_ms.move_to_end(patient)

    def _made_room(self, now_ms: int, *, alarmed: bool) -> bool:
        """Make room for one more: the one who was heard longest ago goes, if that is long enough."""
        for _ in range(_TRIES):
            patient, heard_ms = next(iter(self._heard_ms.items()))
            if not self.patients[patient].alarms:
                if now_ms - heard_ms > DORMANT_MS:
                    self._forget(patient)
                    return True
                break
            self._heard_ms.move_to_end(patient)  # it stays, whatever comes: look at the next one
        return alarmed and len(self.patients) < 2 * self._most

    def _forget(self, patient: str) -> None:
        del self.patients[patient], self._heard_ms[patient]
        self._silent.discard(patient)
        self.share = Share.of(self._keep_bytes, len(self.patients))
