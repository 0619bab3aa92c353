"""``regproxy cache`` and ``regproxy gc``: what is held, on a running server or, for ``gc``, on a stopped one."""

import sys
from pathlib import Path

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option

ABSENT = 1


@click.group()
def cache() -> None:
    """Work on what a running server holds. TARGET: REPOSITORY, REPOSITORY/FOLDER/ or REPOSITORY/PATH."""


def _command(name: str, target: str, config: Path, data_dir: Path | None, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.asking import NotRunningError, ask  # noqa: PLC0415 - as above
    from regproxy.cli.showing import size  # noqa: PLC0415 - as above
    from regproxy.upkeep.holding import Holding  # noqa: PLC0415 - as above

    try:
        found = ask(find_data_dir(config, data_dir), f"/cache/{name}", target, Holding)
    except NotRunningError as error:
        end(FAILED, str(error))
    pinned = f", {found.pinned} pinned" if name != "purge" else ""
    click.echo(msgspec.json.encode(found) if as_json else f"{target}: {found.nodes} nodes, {size(found.bytes)}{pinned}")
    if name != "purge" and not found.nodes:
        sys.exit(ABSENT)


@cache.command()
@click.argument("target")
@json_option
@config_option
@data_dir_option
def purge(*, target: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Forget TARGET: the next request asks upstream. Pins do not hold it."""
    _command("purge", target, config, data_dir, as_json=as_json)


@cache.command()
@click.argument("target")
@json_option
@config_option
@data_dir_option
def pin(*, target: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Never evict what is cached of TARGET. Status 1 if nothing is."""
    _command("pin", target, config, data_dir, as_json=as_json)


@cache.command()
@click.argument("target")
@json_option
@config_option
@data_dir_option
def unpin(*, target: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Let TARGET be evicted again. Status 1 if nothing of it is cached."""
    _command("unpin", target, config, data_dir, as_json=as_json)


@cache.command("is-cached")
@click.argument("target")
@json_option
@config_option
@data_dir_option
def is_cached(*, target: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Say what is cached of TARGET. Status 1 if nothing is."""
    _command("look", target, config, data_dir, as_json=as_json)


@click.command()
@click.option("--dry-run", is_flag=True, help="Remove nothing, say what would be.")
@json_option
@config_option
@data_dir_option
def gc(*, dry_run: bool, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Collect what nothing points to, on a running or a stopped server. A running one does it by itself every few hours."""
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.collecting import UnableError, collected  # noqa: PLC0415 - as above
    from regproxy.cli.showing import size  # noqa: PLC0415 - as above

    try:
        report = collected(find_data_dir(config, data_dir).absolute(), dry=dry_run)
    except UnableError as error:
        end(FAILED, str(error))
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    verb = "would be removed" if report.dry else "removed"
    click.echo(
        f"{size(report.bytes)} {verb}: {report.unnamed} unnamed blobs, {report.strays} stray files, {report.lost} lost rows"
    )
