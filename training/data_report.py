"""The data report: one HTML file on what there is to train on. Of the test set DS2 it holds published counts alone."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from scipy import signal

from ecg.errors import EcgStreamError
from ecg.labels import AAMI
from ecg.records import to_millivolts
from ecg.wfdb_files import list_records, read_noise
from reports.formats import to_svg
from reports.paper import draw_strip
from training.database_facts import facts_of_databases
from training.ecg5000 import data as ecg5000
from training.example_plots import RECORDS_OF_A_KIND, Examples, draw_bundles, draw_spread
from training.record_facts import OTHER_MARKS, PACED_SPLIT, RecordFacts, facts_of

Track = Callable[[Sequence[str]], Iterable[str]]

NOISE = {"bw": "baseline wander", "em": "electrode motion", "ma": "muscle"}
MOST_KINDS = 20  # of rhythms, and of beat symbols, that examples are drawn of: the file stays below 8 MB
_NOISE_SHOWN_S = 10.0
_CLASS_NAMES = {
    "N": "normal and bundle branch block",
    "S": "supraventricular",
    "V": "ventricular",
    "F": "fusion of ventricular and normal",
    "Q": "paced or unclassifiable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A drawing with its caption.

    Attributes
    ----------
    caption : plain text
    svg : inline SVG
    """

    caption: str
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecg5000Facts:
    """The training table of ECG5000.

    Attributes
    ----------
    counts : class to rows
    missing, constant : rows left out
    drawing : mean beat and spread of each class
    """

    counts: dict[str, int]
    missing: int
    constant: int
    drawing: Drawing


class _Pencil:
    """Figures to inline SVG, each with ids of its own."""

    def __init__(self) -> None:
        self._drawn = 0

    def draw(self, figure: Figure, caption: str) -> Drawing:
        self._drawn += 1
        # The SVG is made here, from numbers and escaped text.
        return Drawing(caption=caption, svg=Markup(to_svg(figure, prefix=f"d{self._drawn}")))  # noqa: S704 - see above


def data_report(
    directory: Path,
    *,
    noise: Path,
    ecg5000_directory: Path,
    everything: Path | None = None,
    track: Track = lambda names: names,
) -> str:
    """The report as one HTML page that needs no other file.

    Parameters
    ----------
    directory : the folder that holds the WFDB records; any database does
    noise : the folder of the noise records; the section says so when they are not there
    ecg5000_directory : the folder of ECG5000, the same
    everything : the data directory, of whose databases each has a row; None leaves them out
    track : wraps the records' names, for a progress bar

    Raises
    ------
    EcgStreamError : when the folder holds no record that can be read
    """
    facts: list[RecordFacts] = []
    unread: dict[str, str] = {}
    for name in track(list_records(directory)):
        try:
            facts.append(facts_of(directory, name))
        except EcgStreamError as error:
            unread[name] = str(error)
    if not facts:
        raise EcgStreamError(f"no record of {directory} can be reported on; {next(iter(unread.values()))}")
    examined = [of for of in facts if of.examined is not None]
    examples = Examples(directory, [of.name for of in examined])
    pencil = _Pencil()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("data_report.html.j2").render(
        database=directory.name,
        databases=() if everything is None else facts_of_databases(everything, track=track),
        facts=facts,
        examined=[(of, of.examined) for of in facts if of.examined is not None],
        unread={name: text.replace(str(directory), directory.name) for name, text in unread.items()},
        totals=_totals(facts),
        split_totals={split or "not in the split": _totals(of) for split, of in _by_split(facts).items()},
        class_names=_CLASS_NAMES,
        aami=AAMI,
        other_marks=OTHER_MARKS,
        twins={"201", "202"} <= {of.name for of in facts},
        paced=[of.name for of in facts if of.split == PACED_SPLIT],
        symbol_totals=_sum(of.symbols for of in facts),
        rhythm_totals=_sum(of.rhythms for of in facts),
        unknown=sorted({symbol for of in facts for symbol in of.unknown}),
        beat_drawings=[
            pencil.draw(
                draw_bundles([examples.bundle(symbol, name) for name in names[:RECORDS_OF_A_KIND]]),
                f"symbol {symbol}, in {len(names)} records",
            )
            for symbol, names in list(examples.symbols().items())[:MOST_KINDS]
        ],
        class_drawings={
            letter: [
                pencil.draw(draw_strip(examples.strip(place)), f"record {place.record}, class {letter} in the middle")
                for place in places
            ]
            for letter, places in examples.classes().items()
        },
        rhythms_not_drawn=list(examples.rhythms())[MOST_KINDS:],
        rhythm_drawings=[
            pencil.draw(draw_strip(examples.strip(place)), f"{rhythm}, record {place.record}")
            for rhythm, place in list(examples.rhythms().items())[:MOST_KINDS]
        ],
        noise_drawings=_noise(noise, pencil),
        ecg5000=_ecg5000(ecg5000_directory, pencil),
    )


def _by_split(facts: Sequence[RecordFacts]) -> dict[str, list[RecordFacts]]:
    return {split: [of for of in facts if of.split == split] for split in sorted({of.split for of in facts})}


def _totals(facts: Sequence[RecordFacts]) -> dict[str, float]:
    return {
        "records": len(facts),
        "hours": sum(of.seconds for of in facts) / 3600,
        **{letter: sum(of.beats[letter] for of in facts) for letter in _CLASS_NAMES},
    }


def _sum(counts: Iterable[object]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for of in counts:
        total.update(of)  # type: ignore[call-overload] # counts of seconds, which Counter adds as well
    return dict(total.most_common())


def _noise(directory: Path, pencil: _Pencil) -> list[Drawing]:
    drawings = []
    for name, word in NOISE.items():
        if not (directory / f"{name}.hea").is_file():
            continue
        record = read_noise(directory / name)
        millivolts = np.nan_to_num(to_millivolts(record.samples, record.gain, record.baseline))
        figure = Figure(figsize=(7.5, 1.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
        shown = millivolts[: round(_NOISE_SHOWN_S * record.fs_hz)]
        left.plot(np.arange(len(shown)) / record.fs_hz, shown, lw=0.5)
        left.set_xlabel("s", fontsize=7)
        left.set_ylabel("mV", fontsize=7)
        frequency_hz, power = signal.welch(millivolts, record.fs_hz, nperseg=1024, axis=0)
        right.loglog(frequency_hz[1:], power[1:], lw=0.7)
        right.set_xlabel("Hz", fontsize=7)
        right.set_ylabel("mV²/Hz", fontsize=7)
        for axes in (left, right):
            axes.tick_params(labelsize=6)
        rms = ", ".join(f"{value:.2f}" for value in millivolts.std(axis=0))
        drawings.append(pencil.draw(figure, f"{name}: {word}; {record.seconds / 60:.0f} min, {rms} mV rms by lead"))
    return drawings


def _ecg5000(directory: Path, pencil: _Pencil) -> Ecg5000Facts | None:
    if not (directory / ecg5000.TRAIN_FILE).is_file():
        return None
    table = ecg5000.read_training(directory)
    figure = Figure(figsize=(7.5, 1.7), layout="constrained")
    axes = figure.subplots(1, len(ecg5000.CLASSES), sharey=True)
    place = np.arange(table.beats.shape[1], dtype=np.float64)
    for number, (axis, word) in enumerate(zip(axes, ecg5000.CLASSES, strict=True)):
        draw_spread(axis, place, table.beats[table.classes == number])
        axis.set_title(word, fontsize=7)
        axis.tick_params(labelsize=6)
    counts = {word: int((table.classes == number).sum()) for number, word in enumerate(ecg5000.CLASSES)}
    caption = "mean beat, 10th to 90th percentile and three beats of each class; samples, standard deviations"
    return Ecg5000Facts(
        counts=counts, missing=table.missing, constant=table.constant, drawing=pencil.draw(figure, caption)
    )
