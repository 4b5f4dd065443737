import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from detector.manifest import MANIFEST, ModelError
from detector.model_check import check_models
from detector.offline import judge_record, verdicts_in
from detector.own_manifest import OwnManifest
from detector.own_model import OwnModel, model_input
from detector.scorer import Scorer
from ecg.records import Record
from tests.support.own_models import manifest_of, write_model


def test_window_only_model_judges_a_recording(tmp_path: Path, excerpt: Record, scorer: Scorer) -> None:
    own = Scorer(write_model(tmp_path))
    verdicts = verdicts_in(judge_record(excerpt, own))
    shipped = verdicts_in(judge_record(excerpt, scorer))
    assert [verdict.id for verdict in verdicts] == [verdict.id for verdict in shipped]
    assert set(own.versions) == {"cnn"}
    judged = [verdict for verdict in verdicts if verdict.decision != "unusable"]
    assert judged
    for verdict in judged:
        assert verdict.cnn == verdict.fused  # nothing else counts
        assert verdict.autoencoder is None
        assert verdict.autoencoder_error is None
        assert {beat.beat_class for beat in verdict.beats} <= {None}
    # Beats are still found where the shipped networks find them, nearly all of them.
    found = {round(beat.t_ns / 1e8) for verdict in judged for beat in verdict.beats}
    known = {round(beat.t_ns / 1e8) for verdict in shipped for beat in verdict.beats}
    assert len(found & known) > 0.9 * len(known)


def test_own_model_gets_the_score_its_network_gives(tmp_path: Path, excerpt: Record) -> None:
    probability, logit = tmp_path / "probability", tmp_path / "logit"
    write_model(probability)
    write_model(logit, last="Identity", outputs={"window_logit": "probability"})
    first, second = (
        [verdict.fused for verdict in verdicts_in(judge_record(excerpt, Scorer(directory)))]
        for directory in (probability, logit)
    )
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    assert len({a for a, _ in pairs}) > 1
    assert all(abs(a - b) < 1e-6 for a, b in pairs)


@pytest.mark.parametrize("normalisation", ["standard", "z_score", "min_max"])
@pytest.mark.parametrize(("fs_hz", "leads", "context_s"), [(100, 2, 15), (250, 1, 5), (360, 2, 10), (64, 1, 7)])
def test_input_is_of_the_rate_leads_and_context_asked_for(
    normalisation: str, fs_hz: int, leads: int, context_s: int
) -> None:
    manifest = OwnManifest.model_validate(
        manifest_of(normalisation=normalisation, fs_hz=fs_hz, leads=leads, context_s=context_s)
    )
    t_s = np.arange(1500) / 100
    sine = np.stack([np.sin(2 * np.pi * 1.2 * t_s), np.zeros_like(t_s)])[np.newaxis].astype(np.float32)
    given = model_input(sine, manifest)
    assert given.shape == (1, leads, context_s * fs_hz)
    assert given.dtype == np.float32
    moments = 15 - context_s + np.arange(context_s * fs_hz) / fs_hz
    expected = np.sin(2 * np.pi * 1.2 * moments)
    inner = slice(fs_hz // 2, -fs_hz // 2)  # the filter of the resampling sees no neighbours at the ends
    assert np.corrcoef(given[0, 0, inner], expected[inner])[0, 1] > 0.999
    if normalisation == "min_max":
        assert given.min() == 0
        assert given[0, 0].max() == pytest.approx(1, abs=1e-5)
    if leads == 2:
        assert not given[0, 1].any()


# What is wrong, what the message says of it (value and limit), and what its remedy comes to.
MISFITS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "one batch size": (
        {"shape": (1, 1, 500)},
        r"shape \[1, 1, 500\].*any number of windows.*dynamic batch axis",
        {"shape": ("windows", 1, 500)},
    ),
    "float64": (
        {"element": TensorProto.DOUBLE},
        r"tensor\(double\).*tensor\(float\).*float32",
        {"element": TensorProto.FLOAT},
    ),
    "samples before leads": (
        {"shape": ("windows", 500, 1)},
        r"'windows', 500, 1.*\(windows, 1, 500\).*leads before samples",
        {"shape": ("windows", 1, 500)},
    ),
    "other rate": ({"fs_hz": 125}, r"1 leads of 5 s at 125 Hz are \(windows, 1, 625\).*correct", {"fs_hz": 100}),
    "output of another name": (
        {"outputs": {"window_probability": "p"}},
        r"no output p,.* but probability: name one of these",
        {"outputs": {"window_probability": "probability"}},
    ),
    "two values a window": ({"values": 2}, r"shape \(1, 2\) for 1 windows.*one value a window", {"values": 1}),
    "two outputs for the window": (
        {"outputs": {"window_probability": "probability", "window_logit": "probability"}},
        r"names 2 outputs for the window, it must be 1: give either",
        {"outputs": {"window_probability": "probability"}},
    ),
    "error without calibration": (
        {"outputs": {"window_probability": "probability", "reconstruction_error": "probability"}},
        r"without calibration.*leave outputs.reconstruction_error out",
        {"outputs": {"window_probability": "probability"}},
    ),
    "map without reading": (
        {"outputs": {"window_probability": "probability", "beat_map": "probability"}},
        r"two entries, 1 is given: give both .* or neither",
        {"outputs": {"window_probability": "probability"}},
    ),
    "room inside for one window": (
        {"inside": 1},
        r"a batch of 2 cannot be run .*any number of windows must.*without a fixed size inside",
        {"inside": -1},
    ),
    "context": ({"context_s": 30}, r"context_s is 30, .*less than or equal to 15", {"context_s": 5}),
    "normalisation": ({"normalisation": "mv"}, r"normalisation is 'mv', .*'standard'", {"normalisation": "standard"}),
    "unknown entry": ({"labels": ["N"]}, r"labels is \['N'\], there is no such entry: take it out", {}),
    "file": ({"file": "gone.onnx"}, r"gone\.onnx cannot be read \(No such file", {"file": "energy.onnx"}),
}


@pytest.mark.parametrize(("wrong", "says", "mended"), MISFITS.values(), ids=MISFITS)
def test_misfit_is_told_and_its_remedy_works(
    tmp_path: Path, wrong: dict[str, Any], says: str, mended: dict[str, Any]
) -> None:
    with pytest.raises(ModelError, match=says):
        Scorer(write_model(tmp_path, **wrong))
    Scorer(write_model(tmp_path, **mended))


def test_missing_entry_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path) / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["leads"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"leads is missing: add it"):
        Scorer(tmp_path)


def test_logit_named_a_probability_is_told(tmp_path: Path, excerpt: Record) -> None:
    own = Scorer(write_model(tmp_path, last="Neg"))
    with pytest.raises(ModelError, match=r"a probability is 0 to 1: name the output as window_logit"):
        list(judge_record(excerpt, own))
    own = Scorer(write_model(tmp_path, last="Neg", outputs={"window_logit": "probability"}))
    assert list(judge_record(excerpt, own))


def test_score_of_a_window_is_the_same_in_any_batch(tmp_path: Path) -> None:
    model = OwnModel(write_model(tmp_path))
    segments = np.random.default_rng(1).normal(size=(64, 2, 1500)).astype(np.float32)
    together = model.run(segments).logits
    alone = np.concatenate([model.run(segments[row : row + 1]).logits for row in range(64)])
    assert np.abs(together - alone).max() < 1e-6


def test_window_for_which_a_model_gives_no_number_is_unusable_and_the_others_are_judged(
    tmp_path: Path, excerpt: Record
) -> None:
    # The logarithm of a sum that may be negative.
    own = write_model(tmp_path, last="Log", outputs={"window_logit": "probability"})
    verdicts = verdicts_in(judge_record(excerpt, Scorer(own)))
    unscored = [verdict for verdict in verdicts if "unscored" in verdict.quality.flags]
    assert {verdict.decision for verdict in unscored} == {"unusable"}
    assert all(verdict.fused is None and "unscored" in verdict.reasons for verdict in unscored)
    assert {verdict.decision for verdict in verdicts if verdict not in unscored} <= {"normal", "abnormal"}
    assert 0 < len(unscored) < len(verdicts)
    (misfit,) = check_models(own).misfits
    assert "not a number for" in misfit
    assert check_models(write_model(tmp_path, last="Sigmoid")).misfits == ()  # the remedy: no such logarithm
