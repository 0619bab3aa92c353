"""How every command ends when it cannot do what it was asked to, and where it finds the data directory."""

import sys
from pathlib import Path
from typing import NoReturn

import click

FAILED = 1
CONFIGURATION = 3
DEFAULT_CONFIG = "etc/regproxy.toml"

config_option = click.option(
    "--config", "-c", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, help="Where dataDir stands."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="The server's dataDir; then no configuration is read."
)


def end(status: int, text: str) -> NoReturn:
    """Say why on stderr, and exit."""
    click.echo(text, err=True)
    sys.exit(status)


def find_data_dir(config: Path, data_dir: Path | None) -> Path:
    """The one that was named, or else that of the configuration."""
    if data_dir is not None:
        return data_dir
    from regproxy.config_reading import ConfigurationError, data_dir_of  # noqa: PLC0415 - needed without --data-dir only

    try:
        found = data_dir_of(config)
    except ConfigurationError as error:
        end(CONFIGURATION, str(error))
    if found is None:
        end(CONFIGURATION, f"{config}: line 1: expected a configuration file; name one by --config, or use --data-dir")
    return found
