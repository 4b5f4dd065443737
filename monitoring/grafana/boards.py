"""The table of the dashboards, and what is written of each."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.grafana import alarms, detector, kafka, models, pipeline, ward
from monitoring.grafana.panels import Board

DASHBOARDS = Path(__file__).parent / "dashboards"
BOARDS: tuple[Board, ...] = (ward.BOARD, pipeline.BOARD, detector.BOARD, models.BOARD, alarms.BOARD, kafka.BOARD)


def files() -> dict[str, str]:
    """Return the text of every dashboard's file, by its name."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {f"{board.name}.json": encoder.encode(board.built()) + "\n" for board in BOARDS}
