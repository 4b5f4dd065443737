"""View of the demo: a live picture on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bus.messages import Alert, Verdict
from bus.samples import Chunk
from ecg.leads import choose_leads
from ecg.records import Float32Array, to_millivolts
from ecgstream.ledger import Ledger
from ecgstream.trace import draw
from ecgstream.wording import PRIORITY_STYLES, STYLES, alert_line, rate_of, time_of, verdict_line

NOTICE = "not a medical device"
SHOWN_PATIENTS = 6  # traces at most; fewer on a low terminal
SHOWN_ALERTS = 5
TRACE_S = 5.0
TRACE_WIDTH, TRACE_HEIGHT = 64, 4
BED_LINES = TRACE_HEIGHT + 2  # with its frame
OTHER_LINES = SHOWN_ALERTS + 5  # title, alerts in their frame, figures, and the cursor's line
VERDICT_WIDTH = 40  # what stands beside a trace
REDRAW_S = 0.2
LINE_EVERY_S = 5.0  # between two lines of figures where there is no terminal


@dataclass(slots=True)
class _Bed:
    """View of one patient."""

    pieces: deque[Float32Array] = field(default_factory=deque)
    held_s: float = 0.0
    verdict: Verdict | None = None
    lead: str = ""

    def take(self, chunk: Chunk) -> None:
        lead = self.verdict.lead if self.verdict and self.verdict.lead in chunk.leads else None
        column = chunk.leads.index(lead) if lead else choose_leads(chunk.leads)[0]
        self.lead = chunk.leads[column]
        piece = to_millivolts(chunk.samples, chunk.gain, chunk.baseline)[:, column]
        self.pieces.append(piece)
        self.held_s += len(piece) / chunk.fs_hz
        while self.held_s - len(self.pieces[0]) / chunk.fs_hz >= TRACE_S:
            self.held_s -= len(self.pieces.popleft()) / chunk.fs_hz


class View:
    """The demo's output while it runs.

    Parameters
    ----------
    console : where to; a terminal gets a live picture
    ledger : where the figures come from
    title : what is being replayed
    """

    def __init__(self, console: Console, ledger: Ledger, *, title: str) -> None:
        self._console = console
        self._ledger = ledger
        self._title = title
        self._beds: dict[str, _Bed] = {}
        self._alerts: deque[Alert] = deque(maxlen=SHOWN_ALERTS)
        self._began_s = self._drawn_s = time.monotonic()
        self._shown = min(max((console.height - OTHER_LINES) // BED_LINES, 1), SHOWN_PATIENTS)
        self._trace_width = min(max(console.width - VERDICT_WIDTH, 20), TRACE_WIDTH)
        pictured = console.is_terminal and not console.is_dumb_terminal  # one that cannot go back up gets lines
        self._live = Live(console=console, auto_refresh=False, transient=True) if pictured else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def chunk(self, chunk: Chunk) -> None:
        """Show samples."""
        if self._live is not None and (chunk.patient in self._beds or len(self._beds) < self._shown):
            self._beds.setdefault(chunk.patient, _Bed()).take(chunk)

    def verdict(self, verdict: Verdict) -> None:
        """Show a verdict; without a terminal only where the decision changes."""
        if self._live is not None:
            if verdict.patient in self._beds:
                self._beds[verdict.patient].verdict = verdict
            return
        bed = self._beds.setdefault(verdict.patient, _Bed())
        if bed.verdict is None or bed.verdict.decision != verdict.decision:
            self._print(verdict_line(verdict), STYLES[verdict.decision])
        bed.verdict = verdict

    def alert(self, alert: Alert) -> None:
        """Show what is told of an alert."""
        if self._live is not None:
            self._alerts.append(alert)
        elif alert.phase != "continue":
            self._print(alert_line(alert), PRIORITY_STYLES[alert.priority])

    def refresh(self) -> None:
        """Bring the picture up to date, or print a line of figures, when it is time to."""
        now_s = time.monotonic()
        if self._live is not None:
            if now_s - self._drawn_s >= REDRAW_S:
                self._drawn_s = now_s
                self.draw()
        elif now_s - self._drawn_s >= LINE_EVERY_S:
            self._drawn_s = now_s
            self._print(self._figures(), "dim")

    def draw(self) -> None:
        """Bring the picture up to date now."""
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _head(self) -> str:
        return f"[bold]ecgstream[/] {self._title} · [reverse] {NOTICE} [/]"

    def _picture(self) -> RenderableType:
        beds: Iterable[RenderableType] = (self._bed(patient, bed) for patient, bed in sorted(self._beds.items()))
        parts: list[RenderableType] = [Text.from_markup(self._head()), *beds]
        if self._alerts:
            table = Table.grid(padding=(0, 1))
            for alert in self._alerts:
                line = Text(alert_line(alert), style=PRIORITY_STYLES[alert.priority], no_wrap=True, overflow="ellipsis")
                table.add_row(line)
            parts.append(Panel(table, title="alerts", title_align="left", border_style="dim"))
        parts.append(Text(self._figures(), style="dim"))
        return Group(*parts)

    def _bed(self, patient: str, bed: _Bed) -> Panel:
        verdict = bed.verdict
        samples = np.concatenate(bed.pieces) if bed.pieces else np.empty(0, np.float32)
        lines = draw(samples, width=self._trace_width, height=TRACE_HEIGHT)
        decision = verdict.decision if verdict else "waiting"
        text = Text()
        if verdict is None:
            text.append("waiting for the first window", style="dim")
        else:
            text.append(f"{rate_of(verdict.heart_rate_bpm).strip()}\n", style="bold")
            text.append(decision, style=STYLES[decision])
            text.append("\n" if verdict.fused is None else f" {verdict.fused:.2f}\n")
            text.append(f"{time_of(verdict.start_ns)[11:19]}\n", style="dim")
            text.append("; ".join(verdict.reasons))
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(width=self._trace_width, no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_row(Text("\n".join(lines), style="bright_green", no_wrap=True), text)
        style = "red" if decision == "abnormal" else "dim"
        return Panel(grid, title=f"{patient} · {bed.lead}", title_align="left", border_style=style, height=BED_LINES)

    def _figures(self) -> str:
        ledger = self._ledger
        elapsed_s = max(time.monotonic() - self._began_s, 1e-3)
        latency = ""
        if (p50 := ledger.latency_ms(50)) is not None:
            latency = f", latency p50 {p50:.0f} ms, p99 {ledger.latency_ms(99):.0f} ms"
        return (
            f"{elapsed_s:.0f} s: {ledger.samples / elapsed_s:,.0f} samples/s, {ledger.windows} windows, "
            f"{ledger.anomalies} anomalies, {ledger.alerts} alerts{latency}"
        )
