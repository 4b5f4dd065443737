import numpy as np
import pytest

from bus.messages import Beat
from ecg.records import MISSING
from tests.alerting.verdicts import finding, verdict
from tests.web.live.chunks import FS_HZ, START_NS
from tests.web.past.sampled import sampled, with_holes
from web.past.strips import Form, drawn, findings_of, view_of

BEATS = tuple(Beat(t_ns=START_NS + n * 10**9, beat_class="N") for n in range(-1, 7))
VERDICTS = [
    verdict(0, "abnormal", findings=(finding("couplet", 0),), reasons=("a couplet",)).model_copy(
        update={"beats": BEATS}
    ),
    verdict(1, "normal", findings=(finding("ventricular_run", 0),)),
]


def test_a_strip_holds_what_lies_in_it() -> None:
    view = view_of(sampled(with_holes(1800, slice(10, 12))), VERDICTS)
    assert (view.fs_hz, view.start_ns, len(view.samples)) == (FS_HZ, START_NS, 1800)
    assert view.samples[9:13:3] == with_holes(1800)[9:13:3].tolist()
    assert view.samples[10] == [None, None]
    assert [beat.t_ns for beat in view.beats] == [START_NS + n * 10**9 for n in range(5)]
    assert [(one.decision, one.reasons) for one in view.windows] == [("abnormal", ("a couplet",)), ("normal", ())]
    assert [one.kind for one in view.findings] == ["ventricular_run"]
    assert findings_of([]) == []


@pytest.mark.parametrize(("form", "begin"), [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-"), ("svg", b"<svg ")])
def test_a_strip_is_drawn_in_every_form(form: Form, begin: bytes) -> None:
    assert drawn(sampled(with_holes(1800, slice(300, 500))), VERDICTS, form).startswith(begin)


def test_a_strip_of_nothing_but_holes_is_drawn_all_the_same() -> None:
    empty = sampled(np.full((1800, 2), MISSING, np.int16))
    assert drawn(empty, [], "svg").startswith(b"<svg ")
