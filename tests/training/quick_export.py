"""A quick way to a network's ONNX file, for tests of what happens before and after: torch's own exporter takes seconds.

What the exporter of the shipped files makes of each network is shown in ``test_export.py``, and of a whole run in
``test_train.py``.
"""

import contextlib
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn


@contextlib.contextmanager
def quick_export() -> Iterator[None]:
    """Traced once, not taken apart and put together again; the file is compared with torch as ever."""
    real = torch.onnx.export

    def traced(
        network: nn.Module,
        inputs: tuple[Tensor, ...],
        *,
        input_names: list[str],
        output_names: list[str],
        opset_version: int,
        **_: Any,
    ) -> SimpleNamespace:
        file = io.BytesIO()
        real(
            network,
            inputs,
            file,  # type: ignore[arg-type] # torch writes to memory too, whatever its types say
            input_names=input_names,
            output_names=output_names,
            opset_version=opset_version,
            dynamic_axes={name: {0: "batch"} for name in (*input_names, *output_names)},
            dynamo=False,
        )
        return SimpleNamespace(model_proto=onnx.load_from_string(file.getvalue()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", traced)
        yield
