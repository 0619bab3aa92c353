"""``regproxy backup`` and ``regproxy restore``."""

import sys
from pathlib import Path

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="What remotes have cached too; it could be fetched again.")
@json_option
@config_option
@data_dir_option
def backup(*, target: Path, everything: bool, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Save the index, and the blobs of local artifacts, to the new folder TARGET; beside a running server or without one.

    Every blob is compared with its digest. One that is damaged or missing is told, and is not in the backup: status 1.
    """
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.long_work import UnableError, backed_up  # noqa: PLC0415 - as above
    from regproxy.cli.showing import Bar, show_left_out, size  # noqa: PLC0415 - as above

    folder = find_data_dir(config, data_dir).absolute()
    try:
        with Bar("saving") as bar:
            summary = backed_up(folder, target.absolute(), everything=everything, show=bar.show)
    except UnableError as error:
        end(FAILED, str(error))
    click.echo(msgspec.json.encode(summary) if as_json else f"{summary.blobs} blobs, {size(summary.bytes)}: {target}")
    show_left_out(summary.findings)
    sys.exit(FAILED if summary.findings else 0)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--replace", is_flag=True, help="Put the index that is there aside.")
@json_option
@config_option
@data_dir_option
def restore(*, source: Path, replace: bool, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Bring the backup SOURCE into the data directory of a stopped server.

    Every blob is compared with its digest. One that is damaged or missing is told and left out, all else comes back: status 1.
    """
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.backup import BackupError  # noqa: PLC0415 - as above
    from regproxy.cli.showing import show_left_out, show_restored  # noqa: PLC0415 - as above
    from regproxy.lock import LockedError  # noqa: PLC0415 - as above
    from regproxy.restore import restore as bring  # noqa: PLC0415 - as above

    folder = find_data_dir(config, data_dir).absolute()
    try:
        restored = bring(source.absolute(), folder, replace=replace)
    except (BackupError, LockedError) as error:
        end(FAILED, str(error))
    if as_json:
        click.echo(msgspec.json.encode(restored))
    else:
        show_restored(restored, source, folder)
    show_left_out(restored.findings)
    sys.exit(FAILED if restored.findings else 0)
