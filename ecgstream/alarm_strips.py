"""The strip of an alarm as a file."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from alerting.history.reading import AlarmHistory
from ecg.errors import EcgStreamError
from ecgstream.settings import OptionError
from reports.alarm_strip import draw_alarm_strip
from reports.formats import to_pdf, to_png, to_svg

FORMS: dict[str, Callable[[Figure], bytes]] = {
    ".svg": lambda figure: to_svg(figure).encode(),
    ".png": to_png,
    ".pdf": to_pdf,
}


def write_strip(history: AlarmHistory, alarm: str, path: Path) -> None:
    """Draw an alarm's strip into a file: 25 mm/s, 10 mm/mV.

    Parameters
    ----------
    history : where the alarm is
    alarm : its id
    path : the file; its ending tells what it is to be

    Raises
    ------
    OptionError : when the file's ending is none of those known
    UnknownAlarmError : when there is no such alarm
    EcgStreamError : when it has no strip, or the file cannot be written
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise OptionError(f"--strip {path}: a strip is written as {', '.join(FORMS)}: name the file so")
    newest = history.life(alarm).newest
    kept = history.strip(alarm)
    if kept is None:
        raise EcgStreamError(f"the alarm {alarm!r} has no strip: {history.lack_of_strip(alarm)}")
    try:
        path.write_bytes(form(draw_alarm_strip(kept, newest)))
    except OSError as error:
        raise EcgStreamError(f"--strip {path} cannot be written: {error.strerror}: name another file") from error
