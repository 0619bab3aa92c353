"""The ``regproxy`` command. Imports click and little else; each command imports what it needs.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 a configuration with mistakes; ``verify`` has more.
"""

import json
from pathlib import Path

import click

from regproxy.cli.backup import backup, restore
from regproxy.cli.cache import cache, gc
from regproxy.cli.database import db
from regproxy.cli.doctoring.command import doctor
from regproxy.cli.drain import drain
from regproxy.cli.ending import (
    CONFIGURATION,
    DEFAULT_CONFIG,
    FAILED,
    config_option,
    data_dir_option,
    end,
    find_data_dir,
    json_option,
)
from regproxy.cli.people import token, user
from regproxy.cli.prefetching.command import prefetch
from regproxy.cli.repositories import repo
from regproxy.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look at and check a regproxy. The server itself is started by: twist regproxy --config FILE."""


@main.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print the version."""
    from regproxy import __version__  # noqa: PLC0415 - reads the installed metadata

    click.echo(json.dumps({"version": __version__}) if as_json else __version__)


@main.group("config")
def config_group() -> None:
    """Work with configuration files."""


@config_group.command("check")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_CONFIG)
@json_option
def config_check(*, file: Path, as_json: bool) -> None:
    """Check FILE, with the environment and the files that it names; print one line for each mistake."""
    from regproxy.config import ConfigurationError, load  # noqa: PLC0415 - imports all formats

    try:
        configuration = load(file)
    except ConfigurationError as error:
        if as_json:
            click.echo(json.dumps({"good": False, "mistakes": str(error).splitlines()}))
        end(CONFIGURATION, str(error))
    found = len(configuration.repository)
    click.echo(json.dumps({"good": True, "repositories": found}) if as_json else f"{file}: good, {found} repositories")


@main.command()
@json_option
@config_option
@data_dir_option
def fetches(*, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Show what a running server is fetching from upstream just now."""
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.asking import NotRunningError  # noqa: PLC0415 - as above
    from regproxy.cli.asking import fetches as ask_fetches  # noqa: PLC0415 - as above
    from regproxy.cli.showing import show_fills  # noqa: PLC0415 - as above

    try:
        fills = ask_fetches(find_data_dir(config, data_dir))
    except NotRunningError as error:
        end(FAILED, str(error))
    if as_json:
        click.echo(msgspec.json.encode(fills))
    else:
        show_fills(fills)


main.add_command(cache)
main.add_command(db)
main.add_command(drain)
main.add_command(gc)
main.add_command(verify)
main.add_command(backup)
main.add_command(restore)
main.add_command(doctor)
main.add_command(prefetch)
main.add_command(repo)
main.add_command(user)
main.add_command(token)


if __name__ == "__main__":
    main()
