"""``regproxy db``: the index of a stopped server."""

import time
from pathlib import Path

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option


@click.group()
def db() -> None:
    """Work on the index of a stopped server."""


@db.command()
@json_option
@config_option
@data_dir_option
def upgrade(*, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Bring the index up to this program's schema, as the next start would; a copy of what it was is kept beside it."""
    import apsw  # noqa: PLC0415 - the help needs none of these
    import msgspec  # noqa: PLC0415 - as above

    from regproxy.errors import RegproxyError  # noqa: PLC0415 - as above
    from regproxy.lock import LockedError  # noqa: PLC0415 - as above
    from regproxy.offline import upgraded  # noqa: PLC0415 - as above

    folder = find_data_dir(config, data_dir).absolute()
    if not folder.is_dir():
        end(FAILED, f"{folder}: expected a data directory")
    try:
        done = upgraded(folder, time.time())
    except (RegproxyError, LockedError, apsw.Error, OSError) as error:
        end(FAILED, str(error))
    if as_json:
        click.echo(msgspec.json.encode(done))
    elif done.copy:
        click.echo(f"schema {done.before} became {done.after}; what it was is {done.copy}")
    else:
        click.echo(f"schema {done.after}, as it should be")
