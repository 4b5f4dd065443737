"""An attention network on segments, to compare with the one that ships."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg.leads import MODEL_LEADS
from training.experiments.sequence_heads import MapHead, WindowHead, as_cnn_output, states_in
from training.networks import STRIDE, CnnOutput

TOKEN_SAMPLES = 20  # 200 ms, five frames of the beat map: attention costs the square of their number
_TOKENS = states_in(TOKEN_SAMPLES)
_FRAMES = TOKEN_SAMPLES // STRIDE


class _Block(nn.Module):
    """Attention over all tokens, then a small network on each; both added to what came in."""

    def __init__(self, channels: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads = heads
        self.attention_norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.attended = nn.Linear(channels, channels)
        self.token_norm = nn.LayerNorm(channels)
        self.token = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        count, length, channels = tokens.shape
        joined = self.query_key_value(self.attention_norm(tokens))
        query, key, value = joined.reshape(count, length, 3, self._heads, channels // self._heads).permute(
            2, 0, 3, 1, 4
        )
        # Written out: torch's fused attention learns four times slower on a CPU in half floats.
        share = torch.softmax(query @ key.transpose(2, 3) * (channels // self._heads) ** -0.5, dim=3)
        attended = share @ value
        tokens = tokens + self.dropout(self.attended(attended.transpose(1, 2).reshape(count, length, channels)))
        changed: Tensor = tokens + self.dropout(self.token(self.token_norm(tokens)))
        return changed


class TransformerNet(nn.Module):
    """Patches of the segment as tokens: after half of the blocks the beats are guessed, after all they are judged.

    Source: Vaswani et al. 2017, arXiv:1706.03762, on patches as in Dosovitskiy et al. 2021, arXiv:2010.11929; the
    patches overlap, and every token answers for its own frames.

    Parameters
    ----------
    channels : width of a token
    blocks, heads : of attention; ``channels`` is a multiple of ``heads``
    dropout : share left out in training
    """

    def __init__(self, *, channels: int = 64, blocks: int = 4, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        # The shape of a beat first, wherever in a token it lies: cut at fixed places alone, it is another every time.
        self.stem = nn.Sequential(
            nn.Conv1d(MODEL_LEADS, channels, 4 * STRIDE, stride=STRIDE, padding=6, bias=False),
            nn.BatchNorm1d(channels),
            nn.GELU(),
            nn.Conv1d(channels, channels, 5, padding=2, bias=False),
            nn.BatchNorm1d(channels),
            nn.GELU(),
            nn.Conv1d(channels, channels, 3 * _FRAMES, stride=_FRAMES, padding=_FRAMES),
        )
        self.place = nn.Parameter(0.02 * torch.randn(1, _TOKENS, channels))
        made = [_Block(channels, heads=heads, dropout=dropout) for _ in range(blocks)]
        self.guessing, self.judging = nn.Sequential(*made[: blocks // 2]), nn.Sequential(*made[blocks // 2 :])
        self.first_norm, self.norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.first_head = MapHead(channels, state_samples=TOKEN_SAMPLES)
        self.map_head = MapHead(channels, state_samples=TOKEN_SAMPLES)
        self.window_head = WindowHead(channels, state_samples=TOKEN_SAMPLES, dropout=dropout)

    def forward(self, segments: Tensor) -> CnnOutput:
        """Judge segments (N, leads, samples)."""
        guessed = self.guessing(functional.gelu(self.stem(segments)).transpose(1, 2) + self.place)
        judged = self.norm(self.judging(guessed))
        logits = self.map_head(judged)
        return as_cnn_output(self.window_head(judged, logits), logits, self.first_head(self.first_norm(guessed)))
