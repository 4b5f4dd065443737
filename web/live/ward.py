"""All patients as the topics tell of them. Pure: no clock, no network; any interleaving of the topics ends alike."""

from bus.messages import Alert
from bus.samples import Chunk
from web.live.bedside import Arrived, Bedside
from web.live.summary import PatientSummary
from web.live.verdicts import VerdictHead

SILENT_MS = 10_000  # without samples: a tile says so; the alarm comes by its own rule
FORGET_MS = 3_600_000  # a patient without an open alarm, of whom nothing came for so long, leaves the ward


class Ward:
    """All patients.

    Attributes
    ----------
    bedsides : by patient id
    """

    def __init__(self) -> None:
        self.bedsides: dict[str, Bedside] = {}
        self._heard_ms: dict[str, int] = {}
        self._silent: set[str] = set()
        self._touched: set[str] = set()

    def take_chunk(self, chunk: Chunk, sent_ms: int) -> Arrived | None:
        """Take samples in; None when there is nothing new to show of them.

        Parameters
        ----------
        chunk : the samples
        sent_ms : when they were handed to Kafka, ms UTC
        """
        bedside = self._bedside(chunk.patient, sent_ms)
        first = bedside.latest is None
        arrived = bedside.take_chunk(chunk, sent_ms)
        if first or (arrived and arrived.flags):
            self._touched.add(chunk.patient)
        return arrived

    def take_verdict(self, head: VerdictHead, value: bytes, *, offset: int, sent_ms: int) -> None:
        """Take a verdict in.

        Parameters
        ----------
        head, value : what is looked at, and its whole JSON
        offset, sent_ms : where it lies in its partition, and since when
        """
        self._bedside(head.patient, sent_ms).verdicts.add(head, value, offset)
        self._touched.add(head.patient)

    def take_alert(self, alert: Alert, *, sent_ms: int) -> None:
        """Take what was told of an alarm in.

        Parameters
        ----------
        alert : the message
        sent_ms : since when it lies on the topic
        """
        if alert.phase != "end":
            self._bedside(alert.patient, sent_ms).alarms[alert.id] = alert
        elif alert.patient in self.bedsides:
            self.bedsides[alert.patient].alarms.pop(alert.id, None)
        self._touched.add(alert.patient)

    def look(self, now_ms: int) -> list[PatientSummary]:
        """Those patients that look otherwise than at the last look; those long gone are forgotten.

        Parameters
        ----------
        now_ms : wall time, ms UTC
        """
        for patient, bedside in list(self.bedsides.items()):
            if now_ms - self._heard_ms[patient] > FORGET_MS and not bedside.alarms:
                del self.bedsides[patient], self._heard_ms[patient]
                continue
            silent = bedside.latest is None or now_ms - bedside.latest.sent_ms > SILENT_MS
            if silent != (patient in self._silent):
                self._silent ^= {patient}
                self._touched.add(patient)
        self._silent &= self.bedsides.keys()
        touched = sorted(self._touched & self.bedsides.keys())
        self._touched.clear()
        return [self.summary(patient) for patient in touched]

    def summary(self, patient: str) -> PatientSummary:
        """One patient in a line."""
        return self.bedsides[patient].summary(silent=patient in self._silent)

    def summaries(self) -> list[PatientSummary]:
        """All patients, in no order."""
        return [self.summary(patient) for patient in self.bedsides]

    def open_alarms(self) -> list[Alert]:
        """All open alarms, in no order."""
        return [alert for bedside in self.bedsides.values() for alert in bedside.alarms.values()]

    def _bedside(self, patient: str, heard_ms: int) -> Bedside:
        bedside = self.bedsides.get(patient)
        if bedside is None:
            bedside = self.bedsides[patient] = Bedside.empty(patient)
        self._heard_ms[patient] = max(heard_ms, self._heard_ms.get(patient, heard_ms))
        return bedside
