"""A recurrent network on segments, to compare with the one that ships."""

from torch import Tensor, nn
from torch.nn import functional

from ecg.leads import MODEL_LEADS
from ecg.segments import MODEL_SAMPLES
from training.experiments.sequence_heads import MapHead, WindowHead, as_cnn_output, states_in
from training.networks import CnnOutput

STATE_SAMPLES = 8  # 80 ms: two frames of the beat map; at every frame the recurrence would take twice the time
_STATES = states_in(STATE_SAMPLES)
_BEFORE = _STATES * STATE_SAMPLES - MODEL_SAMPLES  # the first state begins before the segment
_MARGIN = STATE_SAMPLES  # what a state sees of its neighbours, on either side


class LstmNet(nn.Module):
    """Two bidirectional LSTM layers: the first guesses the beats, the second judges them and the window.

    Source: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, in both directions as in Graves and
    Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042; a convolution takes the samples in.

    Parameters
    ----------
    hidden : width of a layer in each direction
    dropout : share of channels left out in training
    """

    def __init__(self, *, hidden: int = 48, dropout: float = 0.1) -> None:
        super().__init__()
        self.stem = nn.Conv1d(MODEL_LEADS, hidden, STATE_SAMPLES + 2 * _MARGIN, stride=STATE_SAMPLES)
        self.first = nn.LSTM(hidden, hidden, batch_first=True, bidirectional=True)
        self.first_norm = nn.LayerNorm(2 * hidden)
        self.first_head = MapHead(2 * hidden, state_samples=STATE_SAMPLES)
        self.second = nn.LSTM(2 * hidden, hidden, batch_first=True, bidirectional=True)
        self.second_norm = nn.LayerNorm(2 * hidden)
        self.map_head = MapHead(2 * hidden, state_samples=STATE_SAMPLES)
        self.window_head = WindowHead(2 * hidden, state_samples=STATE_SAMPLES, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, segments: Tensor) -> CnnOutput:
        """Judge segments (N, leads, samples)."""
        stem = functional.relu(self.stem(functional.pad(segments, (_BEFORE + _MARGIN, _MARGIN))))
        guessed = self.first_norm(self.first(stem.transpose(1, 2))[0])
        judged = self.second_norm(self.second(self.dropout(guessed))[0]) + guessed
        logits = self.map_head(judged)
        return as_cnn_output(self.window_head(judged, logits), logits, self.first_head(guessed))
