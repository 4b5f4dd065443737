"""What the demo shows."""

import io

import pytest
from rich.console import Console

from ecgstream.demo_view import View
from ecgstream.ledger import Ledger
from tests.alerting.verdicts import verdict
from tests.ecgstream.test_ledger import chunk


def shown(*, terminal: bool, kind: str = "xterm") -> tuple[View, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, height=40, _environ={"TERM": kind})
    return View(console, Ledger(), title="208 at 10 times real pace"), out


@pytest.mark.parametrize(("terminal", "kind"), [(False, "xterm"), (True, "dumb")])
def test_where_no_picture_can_be_each_change_is_a_line(terminal: bool, kind: str) -> None:
    view, out = shown(terminal=terminal, kind=kind)
    with view:
        for window, decision in enumerate(("normal", "normal", "abnormal", "abnormal", "normal")):
            view.verdict(verdict(window, decision, reasons=("why",)))  # type: ignore[arg-type] # a literal
            view.refresh()
    lines = out.getvalue().splitlines()
    assert [line.split()[3] for line in lines] == ["normal", "abnormal", "normal"]
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_the_picture_has_trace_rate_and_verdict() -> None:
    view, out = shown(terminal=True)
    with view:
        view.chunk(chunk(0, 5))
        view.verdict(verdict(0, "abnormal", reasons=("2 ventricular beats",)))
        view.draw()
    text = out.getvalue()
    for part in ("p1 · MLII", "72/min", "abnormal", "2 ventricular beats", "⠉" * 60, "not a medical device"):
        assert part in text
