"""The commands around the models: scoring files."""


def score() -> None: ...
