"""The shipped ONNX models, their manifest and model card."""

from pathlib import Path

SHIPPED = Path(__file__).parent
