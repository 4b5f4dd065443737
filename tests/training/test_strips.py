from bus.messages import Finding
from tests.alerting.verdicts import START_NS, verdict
from training.strips import class_of, strip_figures

FIBRILLATION = Finding(
    kind="atrial_fibrillation", start_ns=START_NS, end_ns=START_NS + 30_000_000_000, rate_bpm=90.0, beats=45
)


def test_the_class_of_a_strip() -> None:
    normal, unusable, odd = verdict(0, "normal"), verdict(1, "unusable"), verdict(2, "abnormal")
    assert class_of([normal, normal]) == "N"
    assert class_of([normal, odd]) == "O"
    assert class_of([normal, unusable]) == "~"
    assert class_of([]) == "~"
    assert class_of([normal, verdict(1, "abnormal", findings=(FIBRILLATION,))]) == "A"


def test_the_figures_of_strips() -> None:
    classes = {"A00001": "N", "A00002": "A", "A00003": "A", "A00004": "~", "A00005": "O", "A00006": "N"}
    found = {"A00001": "N", "A00002": "A", "A00003": "O", "A00004": "~", "A00005": "A", "A00006": "~"}
    figures = strip_figures(classes, found)  # type: ignore[arg-type] # the letters are classes
    assert figures["af"] == {"se": 0.5, "ppv": 0.5, "f1": 0.5}
    assert figures["noise"] == {"se": 1.0, "false_share": 0.5}
    assert figures["confusion"]["A"] == {"N": 0, "A": 1, "O": 1, "~": 0}
    assert figures["records"] == 6


def test_no_strip_of_a_kind_is_null() -> None:
    assert strip_figures({"A00001": "N"}, {"A00001": "N"})["af"]["se"] is None
