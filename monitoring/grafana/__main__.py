"""Writes every dashboard beside this file, below ``dashboards``."""

from monitoring.grafana.boards import DASHBOARDS, files

if __name__ == "__main__":
    DASHBOARDS.mkdir(exist_ok=True)
    for name, text in files().items():
        (DASHBOARDS / name).write_text(text, encoding="utf-8")
