"""A window model of one's own: a small network, fitted on the recordings that come with ecgstream, as an ONNX file.

pip install 'ecgstream[train]'
python docs/examples/own_model.py DIR
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecg.annotations import read_annotations
from ecg.excerpts import EXCERPTS
from ecg.wfdb_files import read_wfdb
from training.data import windows_of

FS_HZ, CONTEXT_S, STEPS = 100, 5, 150
MANIFEST = {
    "window_model": 1,
    "name": "tiny",
    "file": "tiny.onnx",
    "fs_hz": FS_HZ,
    "leads": 1,
    "context_s": CONTEXT_S,
    "normalisation": "standard",
    "outputs": {"window_probability": "probability"},
    "threshold": 0.5,
}

directory = Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)
of_records = [windows_of(read_wfdb(each.path), read_annotations(each.path)) for each in EXCERPTS.values()]
chosen = [found.only(found.usable & ~found.left_out) for found in of_records]
newest = -FS_HZ * CONTEXT_S
inputs = torch.tensor(np.concatenate([found.inputs[:, :1, newest:] for found in chosen]).astype(np.float32))
abnormal = torch.tensor(np.concatenate([found.abnormal for found in chosen]).astype(np.float32))

network = nn.Sequential(
    nn.Conv1d(1, 12, 15, stride=4),
    nn.ReLU(),
    nn.Conv1d(12, 16, 15, stride=4),
    nn.ReLU(),
    nn.AdaptiveAvgPool1d(1),
    nn.Flatten(),
    nn.Linear(16, 1),
    nn.Sigmoid(),
)
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
for _ in range(STEPS):
    loss = nn.functional.binary_cross_entropy(network(inputs)[:, 0], abnormal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.3f} on {len(inputs)} windows, {abnormal.mean():.0%} of them abnormal")  # noqa: T201

torch.onnx.export(
    network.eval(),
    (inputs[:2],),
    directory / "tiny.onnx",
    input_names=["signal"],
    output_names=["probability"],
    dynamic_shapes=({0: torch.export.Dim("windows")},),
    external_data=False,
    verbose=False,
)
(directory / "manifest.json").write_text(json.dumps(MANIFEST, indent=2), encoding="utf-8")
