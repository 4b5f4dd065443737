"""The models: which ones judge, how their scores are spread, and whether that is as in training."""

from monitoring.grafana.panels import USABLE, Board, Graph, Number, Spread, per_second, quantiles, share_of_windows

_SCORES = {
    "fused": "Both networks, the beats and the rhythm together.",
    "cnn": "The CNN.",
    "autoencoder": "The autoencoder.",
}
_VERSIONS = "cnn, autoencoder, beats"


def _of(score: str) -> str:
    return f'{{score="{score}"}}'


BOARD = Board(
    name="models",
    title="models and drift",
    about="Models that judge, how their scores are spread, and how far that lies from the training records.",
    rows={
        "Now": [
            *(
                Number(
                    title=f"Drift, {score}",
                    about="Population stability index against the training records; above 0.25 it is another "
                    "population. It takes 200 windows, and a ward: with few patients it tells of single ones.",
                    expr=f"max(ecgstream_detector_score_drift_psi{_of(score)})",
                )
                for score in _SCORES
            ),
            Number(
                title="Abnormal",
                about="Share of the usable windows that are abnormal.",
                expr=share_of_windows("abnormal", among=USABLE),
                unit="percentunit",
            ),
            Number(
                title="Sets of models",
                about="More than one while a new one is rolled out only.",
                expr=f"count(count by ({_VERSIONS}, preprocessing) (ecgstream_detector_model_info))",
            ),
            Number(
                title="Scored / s",
                about="Windows that have scores.",
                expr=per_second('ecgstream_detector_scores_count{score="fused"}'),
            ),
        ],
        "Scores": [
            Spread(
                title=f"Spread of the score {score}",
                about=f"{about} Windows a second in each twentieth of it.",
                expr=f"sum by (le) (rate(ecgstream_detector_scores_bucket{_of(score)}[$__rate_interval]))",
            )
            for score, about in _SCORES.items()
        ],
        "Drift": [
            Graph(
                title="Population stability index",
                about="Of each score and detector; ScoresDrifted rings above 0.25 (an hour, 20 patients).",
                lines={"{{score}} {{instance}}": "ecgstream_detector_score_drift_psi"},
            ),
            Graph(
                title="Quantiles of the fused score",
                about="Half of the windows lie below p50.",
                lines=quantiles("ecgstream_detector_scores", 0.5, 0.9, 0.99, selector=_of("fused")),
            ),
            Graph(
                title="Models",
                about="Detectors that judge by each set of models.",
                lines={"{{cnn}} {{autoencoder}} {{beats}}": f"count by ({_VERSIONS}) (ecgstream_detector_model_info)"},
            ),
        ],
    },
)
