"""``regproxy drain``: ends a running server as SIGTERM does."""

import time
from pathlib import Path

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir

POLL = 0.2


@click.command()
@click.option("--wait", "seconds", type=click.FloatRange(min=0), default=0, help="Wait so many seconds for the end.")
@config_option
@data_dir_option
def drain(*, seconds: float, config: Path, data_dir: Path | None) -> None:
    """End a running server: what is running may finish. Status 1 if it is not over after --wait seconds."""
    from regproxy.cli.asking import NotRunningError  # noqa: PLC0415 - the help needs none of these
    from regproxy.cli.asking import drain as ask  # noqa: PLC0415 - as above

    folder = find_data_dir(config, data_dir)
    try:
        left = ask(folder)
    except NotRunningError as error:
        end(FAILED, str(error))
    deadline = time.monotonic() + seconds
    try:
        while seconds and time.monotonic() < deadline:
            time.sleep(POLL)
            left = ask(folder)
    except NotRunningError:
        click.echo("drained")
        return
    text = f"draining: {left.responses} responses and {left.fills} fills are left"
    if seconds:
        end(FAILED, text)
    click.echo(text)
