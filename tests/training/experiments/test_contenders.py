import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from ecg.errors import EcgStreamError
from tests.training.quick_export import quick_export
from training.augment import Batch
from training.data import CLASSES, FRAMES, UNKNOWN
from training.experiments.attention import TransformerNet
from training.experiments.contenders import CONTENDERS, ContenderKind
from training.experiments.recurrent import LstmNet
from training.experiments.single_beats import (
    BEAT_CLASSES,
    BEFORE,
    FEATURES,
    NO_BEAT_LOGIT,
    BeatDense,
    beats_in,
    beats_loss,
    classes_of,
    predict_beats,
)
from training.fit import cnn_loss, predict_cnn
from training.networks import MAP_FRAMES
from training.onnx_file import largest_difference, write_onnx

# onnxscript and torch deprecate things of their own among themselves.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(params=["lstm", "transformer"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return LstmNet(hidden=8) if request.param == "lstm" else TransformerNet(channels=8, blocks=2, heads=2)


def _beating(*, every: int = 80, count: int = 2) -> torch.Tensor:
    """Segments with a pulse on both leads at the samples 20, 20 + every, ..."""
    time = torch.arange(1500)
    lead = sum(torch.exp(-(((time - peak) / 3.0) ** 2)) for peak in range(20, 1500, every))
    assert isinstance(lead, torch.Tensor)
    return (5 * lead).expand(count, 2, 1500).clone()


def test_every_kind_has_its_network() -> None:
    assert CONTENDERS.keys() == set(get_args(ContenderKind))


class TestSequenceNetworks:
    def test_the_outputs_are_the_cnns(self, network: nn.Module) -> None:
        output = network.eval()(_beating(count=3))
        assert output.window_logit.shape == (3,)
        assert output.beat_map.shape == (3, len(CLASSES), MAP_FRAMES)
        assert output.first_map.shape == (3, len(CLASSES), FRAMES)

    def test_each_segment_is_judged_by_itself(self, network: nn.Module) -> None:
        segments = torch.cat([_beating(), torch.zeros(1, 2, 1500), torch.randn(1, 2, 1500)])
        together = network.eval()(segments)
        alone = network(segments[1:2])
        for whole, part in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[1:2], part, atol=1e-5, rtol=1e-4)

    def test_a_beat_is_answered_for_where_it_is(self, network: nn.Module) -> None:
        # With the rest of the segment silent, what changes most in the first map lies at the beat.
        silent, beating = torch.zeros(1, 2, 1500), torch.zeros(1, 2, 1500)
        beating[..., 1008:1012] = 8.0
        with torch.inference_mode():
            change = (network.eval()(beating).first_map - network(silent).first_map).abs().sum(dim=1)[0]
        assert abs(int(change.argmax()) - 1010 // 4) <= 5  # a token is five frames

    def test_it_learns_what_it_is_shown(self, network: nn.Module) -> None:
        torch.manual_seed(0)
        segments = torch.cat([_beating(every=80, count=4), _beating(every=50, count=4)])
        batch = Batch(
            inputs=segments,
            frames=torch.zeros(8, FRAMES, dtype=torch.int64),
            abnormal=torch.tensor([0.0] * 4 + [1.0] * 4),
            weight=torch.ones(8),
        )
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        network.train()
        for _ in range(60):
            optimiser.zero_grad()
            cnn_loss(network, batch).backward()  # type: ignore[no-untyped-call] # torch annotates it on no version
            optimiser.step()
        logits, _ = predict_cnn(network, segments.numpy().astype(np.float16))
        assert logits[:4].max() < 0 < logits[4:].min()


def test_beats_are_cut_out_around_their_r_peaks() -> None:
    beats = beats_in(_beating().numpy())
    assert set(beats.segment) == {0, 1}
    first = beats.position[beats.segment == 0]
    assert first.min() >= 1000
    np.testing.assert_allclose((first - 20) / 80, np.round((first - 20) / 80), atol=0.03)
    assert beats.features.shape == (len(beats.position), FEATURES)
    peak = beats.features[:, BEFORE - 2 : BEFORE + 3].max(axis=1)
    np.testing.assert_allclose(peak, 5.0, rtol=0.05)


def test_an_early_beat_has_a_short_interval_before_it_and_a_long_one_behind() -> None:
    time = torch.arange(1500)
    peaks = [*range(20, 1100, 80), 1120, *range(1220, 1500, 80)]
    lead = torch.stack([torch.exp(-(((time - peak) / 3.0) ** 2)) for peak in peaks]).sum(dim=0)
    beats = beats_in((5 * lead).expand(1, 2, 1500).numpy())
    early = int(np.abs(beats.position - 1120).argmin())
    before, after = beats.features[early, -2:]
    assert before < -0.2
    assert after > 0.2
    assert beats.features[-1, -1] == 0  # what comes after the last beat is not known yet


def test_silence_has_no_beats_and_the_lowest_score() -> None:
    silent = np.zeros((2, 2, 1500), np.float16)
    assert len(beats_in(silent.astype(np.float32)).position) == 0
    assert predict_beats(BeatDense(), silent).tolist() == [NO_BEAT_LOGIT] * 2


def test_a_window_is_as_odd_as_its_oddest_beat() -> None:
    class OddOnLead2(nn.Module):
        def forward(self, beats: torch.Tensor) -> torch.Tensor:
            logits = torch.full((len(beats), len(BEAT_CLASSES)), -20.0)
            logits[:, 0] = 0
            logits[:, 2] = beats[:, FEATURES // 2 : FEATURES - 2].amax(dim=1)
            return logits

    segments = _beating(count=2)
    segments[:, 1] = 0
    segments[1, 1, 1255:1265] = 9.0  # one beat of the second window
    found = predict_beats(OddOnLead2(), segments.numpy().astype(np.float16))
    assert found[1] == pytest.approx(9.0, abs=0.01)
    assert found[0] == pytest.approx(0.0, abs=0.01)


def test_a_beat_has_the_class_of_the_annotation_near_it() -> None:
    beats = beats_in(_beating(count=1).numpy())
    frames = np.zeros((1, FRAMES), np.int64)
    frames[0, beats.position[0] // 4 + 2] = CLASSES.index("V")
    frames[0, beats.position[1] // 4 - 1] = UNKNOWN
    frames[0, beats.position[2] // 4 + 4] = CLASSES.index("S")  # 160 ms away: another beat
    found = classes_of(beats, frames)
    assert found[0] == BEAT_CLASSES.index("V")
    assert set(found[1:]) == {UNKNOWN}


def test_beats_without_an_annotation_teach_nothing() -> None:
    segments = _beating(count=2)
    batch = Batch(
        inputs=segments,
        frames=torch.zeros(2, FRAMES, dtype=torch.int64),
        abnormal=torch.zeros(2),
        weight=torch.ones(2),
    )
    network = BeatDense(hidden=8, dropout=0.0)
    assert beats_loss(network, batch).item() == 0.0
    ventricular = Batch(
        inputs=segments, frames=torch.full((2, FRAMES), 3), abnormal=torch.ones(2), weight=torch.ones(2)
    )
    logits = network(torch.from_numpy(beats_in(segments.numpy()).features))
    expected = nn.functional.cross_entropy(logits, torch.full((len(logits),), BEAT_CLASSES.index("V")))
    assert beats_loss(network, ventricular).item() == pytest.approx(expected.item(), rel=1e-5)


def test_other_weights_of_a_dense_network_are_noticed(tmp_path: Path) -> None:
    network, probes = BeatDense(hidden=8), torch.randn(5, FEATURES)
    outputs: dict[str, tuple[int, ...]] = {"beat_logits": (len(BEAT_CLASSES),)}
    with quick_export():
        model, difference = write_onnx(network, tmp_path, "dense", input_name="beats", probes=probes, outputs=outputs)
    assert [path.name for path in tmp_path.iterdir()] == ["dense.onnx"]
    assert (model.input_shape, model.outputs) == ((FEATURES,), outputs)
    assert difference <= 1e-4
    with torch.no_grad():
        list(network.parameters())[-1][2] += 0.001  # a bias
    assert largest_difference(network, tmp_path, model, probes) > 1e-4


def test_a_file_that_differs_is_not_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.onnx_file.largest_difference", lambda *_: float("nan"))
    with quick_export(), pytest.raises(EcgStreamError, match=re.escape("do not ship it")):
        write_onnx(
            BeatDense(hidden=8),
            tmp_path,
            "dense",
            input_name="beats",
            probes=torch.zeros(2, FEATURES),
            outputs={"beat_logits": (len(BEAT_CLASSES),)},
        )
