"""The strip that shows an alarm: the samples around its onset on ECG paper, with the onset marked."""

from datetime import UTC, datetime

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alerting.strips.alarm_strip import AlarmStrip
from bus.messages import Alert
from ecg.records import to_millivolts
from reports.formats import DPI
from reports.lettering import SMALL_PT, TEXT_PT, write
from reports.paper import place_strip, size_mm
from reports.scale import FOOTER_MM, MM_PER_INCH, x_mm
from reports.strip import Strip, StripFinding

TITLE_MM = 9.0  # two lines
DAY_S = 86_400
ONSET = "#9c3d00"


def strip_of_alarm(kept: AlarmStrip, alert: Alert) -> Strip:
    """An alarm's samples as a strip; its times are seconds from the midnight (UTC) before its first sample.

    Parameters
    ----------
    kept : the samples
    alert : the alarm as it stands
    """
    midnight_ns = _midnight_ns(kept)
    start_s = (kept.start_ns - midnight_ns) / 1e9
    onset_s = (alert.onset_ns - midnight_ns) / 1e9
    return Strip(
        fs_hz=kept.fs_hz,
        leads=kept.leads,
        samples_mv=to_millivolts(kept.samples, kept.gain, kept.baseline),
        start_s=start_s,
        findings=(
            StripFinding(
                start_s=onset_s,
                end_s=max(onset_s, (alert.last_ns - midnight_ns) / 1e9),
                text=f"{alert.label}, {alert.priority} priority",
            ),
        ),
    )


def draw_alarm_strip(kept: AlarmStrip, alert: Alert) -> Figure:
    """An alarm's strip as a figure of its own: whose, what and when above it, a line through the onset.

    Parameters
    ----------
    kept, alert : see ``strip_of_alarm``
    """
    strip = strip_of_alarm(kept, alert)
    width_mm, height_mm = size_mm(strip)
    whole_mm = height_mm + TITLE_MM
    figure = Figure(figsize=(width_mm / MM_PER_INCH, whole_mm / MM_PER_INCH), dpi=DPI)
    place_strip(figure, strip, left_mm=0.0, bottom_mm=0.0)
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set_axis_off()
    sheet.set_xlim(0, width_mm)
    sheet.set_ylim(0, whole_mm)
    onset_s = (alert.onset_ns - _midnight_ns(kept)) / 1e9
    _mark(sheet, x_mm(strip, onset_s), height_mm)
    when = datetime.fromtimestamp(alert.onset_ns // 1_000_000_000, UTC)
    write(sheet, 1.0, height_mm + 5.2, f"{alert.patient}: {alert.label}", size_pt=TEXT_PT + 1, bold=True)
    caption = f"{alert.priority} priority, onset {when:%Y-%m-%d %H:%M:%S} UTC: {'; '.join(alert.reasons)}"
    write(sheet, 1.0, height_mm + 1.6, caption, size_pt=SMALL_PT)
    return figure


def _mark(sheet: Axes, at_mm: float, top_mm: float) -> None:
    # Dashed, since what it marks is often a beat, which is to be seen through it.
    sheet.plot(
        [at_mm, at_mm], [FOOTER_MM, top_mm - 1.0], color=ONSET, linewidth=0.8, linestyle=(0, (5, 4)), gid="onset"
    )
    write(sheet, at_mm + 0.8, FOOTER_MM + 1.0, "onset", colour=ONSET, bold=True)


def _midnight_ns(kept: AlarmStrip) -> int:
    return kept.start_ns // (DAY_S * 1_000_000_000) * DAY_S * 1_000_000_000
