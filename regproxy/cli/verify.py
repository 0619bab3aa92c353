"""``regproxy verify``: asks the running server, or does it itself where there is none."""

import sys
from pathlib import Path

import click

from regproxy.cli.ending import config_option, data_dir_option, end, find_data_dir, json_option

CLEAN, FOUND, REPAIRED, UNABLE = 0, 1, 4, 5


@click.command()
@click.option("--repair", is_flag=True, help="Put bad blobs aside, drop rows that lead nowhere, collect garbage.")
@click.option("--strict", is_flag=True, help="Nothing may lie in the spool that nobody is writing.")
@click.option("--rate", type=click.IntRange(min=1), help="Bytes per second at most; a running server takes 100 MiB.")
@json_option
@config_option
@data_dir_option
def verify(*, repair: bool, strict: bool, rate: int | None, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Compare everything that is held with what is known about it, on a running or a stopped server.

    Exit status: 0 nothing is wrong; 1 something is; 4 something was, and is repaired; 5 it could not be carried out.
    """
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.long_work import Ask, UnableError, verified  # noqa: PLC0415 - as above
    from regproxy.cli.showing import Bar, show_report  # noqa: PLC0415 - as above

    folder = find_data_dir(config, data_dir).absolute()
    try:
        with Bar("verifying") as bar:
            report = verified(folder, Ask(repair=repair, strict=strict, rate=rate), bar.show)
    except UnableError as error:
        end(UNABLE, str(error))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        show_report(report)
    bad = report.violations
    sys.exit(CLEAN if not bad else REPAIRED if all(finding.repaired for finding in bad) else FOUND)
