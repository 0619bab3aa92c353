"""``regproxy doctor``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regproxy.cli.ending import CONFIGURATION, FAILED, config_option, end, json_option

if TYPE_CHECKING:
    from regproxy.cli.doctoring.finding import Finding


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask upstreams anything.")
@json_option
@config_option
def doctor(*, offline: bool, as_json: bool, config: Path) -> None:
    """Look at what the server needs: one line for each thing, with what to do where something is wrong. Changes nothing.

    Run it as the server's user, beside a running server or without one.

    Exit status: 0 nothing is bad, there may be warnings; 1 something is bad; 3 the configuration has mistakes.
    """
    from regproxy.cli.doctoring import machine  # noqa: PLC0415 - the help needs none of these
    from regproxy.cli.doctoring.finding import good  # noqa: PLC0415 - as above
    from regproxy.config import ConfigurationError, load  # noqa: PLC0415 - as above

    try:
        configuration = load(config)
    except ConfigurationError as error:
        end(CONFIGURATION, str(error))
    findings = [good("configuration", f"{config} is good, with {len(configuration.repository)} repositories")]
    findings += machine.examine(configuration, config)
    if not offline:
        from regproxy.cli.doctoring import upstreams  # noqa: PLC0415 - as above

        findings += upstreams.examine(configuration)
    _show(findings, as_json=as_json)
    sys.exit(FAILED if any(each.state == "bad" for each in findings) else 0)


def _show(findings: "list[Finding]", *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 - as above

    if as_json:
        click.echo(msgspec.json.encode(findings))
        return
    for each in findings:
        click.echo(each.line)
