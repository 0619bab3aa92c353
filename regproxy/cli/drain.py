"""``regproxy drain``: ends a running server as SIGTERM does."""

import json
import time
from pathlib import Path

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option

POLL = 0.2


@click.command()
@click.option("--wait", "seconds", type=click.FloatRange(min=0), default=0, help="Wait so many seconds for the end.")
@json_option
@config_option
@data_dir_option
def drain(*, seconds: float, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """End a running server: what is running may finish. Status 1 if it is not over after --wait seconds."""
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.asking import NotRunningError  # noqa: PLC0415 - as above
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
        click.echo(json.dumps({"draining": False, "responses": 0, "fills": 0}) if as_json else "drained")
        return
    text = f"draining: {left.responses} responses and {left.fills} fills are left"
    if as_json:
        click.echo(msgspec.json.encode(left))
    if seconds:
        end(FAILED, text)
    if not as_json:
        click.echo(text)
