import typer

data = typer.Typer()


@data.callback()
def _d() -> None: ...
@data.command("check")
def check() -> None: ...
def doctor() -> None: ...
