"""``regproxy repo``: the repositories of a running server. What its configuration file declares is changed there."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def repo() -> None:
    """Work with the repositories of a running server."""


def _said_options(command: F) -> F:
    """What is said of a repository: a document, single keys, or both."""
    options = [
        click.option("--file", type=click.File("rb"), help="A Repository Configuration JSON; - is stdin."),
        click.option("--url", help="Of a remote's upstream."),
        click.option("--description", help="Shown to everybody."),
        click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Any key of the JSON; VALUE is JSON, or a text."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _said(file: Any, pairs: Sequence[str], more: Mapping[str, object]) -> dict[str, object]:
    import msgspec  # noqa: PLC0415 - the help needs none of these

    said: dict[str, object] = {}
    if file is not None:
        try:
            said = msgspec.json.decode(file.read(), type=dict[str, object])
        except msgspec.MsgspecError as error:
            end(FAILED, f"{file.name}: expected a JSON object: {error}")
    said |= {name: value for name, value in more.items() if value is not None}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--set {pair}: expected KEY=VALUE")
        try:
            said[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            said[name] = text
    return said


def _ask(command: str, target: object, config: Path, data_dir: Path | None) -> Any:
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.asking import NotRunningError, ask  # noqa: PLC0415 - as above

    text = target if isinstance(target, str) else msgspec.json.encode(target).decode()
    try:
        return ask(find_data_dir(config, data_dir), f"/repository/{command}", text, Any)
    except NotRunningError as error:
        end(FAILED, str(error))


def _print(found: Any, line: str, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 - as above

    click.echo(msgspec.json.encode(found) if as_json else line.format_map(found))


@repo.command("list")
@click.option("--type", "rclass", type=click.Choice(["local", "remote", "virtual"]), help="These only.")
@click.option("--package-type", help="These only.")
@json_option
@config_option
@data_dir_option
def list_repositories(
    *, rclass: str | None, package_type: str | None, as_json: bool, config: Path, data_dir: Path | None
) -> None:
    """Show every repository, where it is declared, and what stands behind it."""
    import msgspec  # noqa: PLC0415 - as above

    from regproxy.cli.showing import show_rows  # noqa: PLC0415 - as above

    found = [
        each
        for each in _ask("list", "", config, data_dir)
        if rclass in (None, each["rclass"]) and package_type in (None, each["packageType"])
    ]
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for each in found:
        each["upstream"] = "needs url" if each["url"] == "auto" else each["url"]
    rows = [tuple(each[name] for name in ("key", "rclass", "packageType", "upstream", "declared")) for each in found]
    show_rows(("key", "class", "type", "upstream", "declared"), rows, "there is no repository")


@repo.command()
@click.argument("key")
@json_option
@config_option
@data_dir_option
def show(*, key: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Print the configuration of the repository KEY as JSON, without secrets; with --json on one line."""
    import msgspec  # noqa: PLC0415 - as above

    found = msgspec.json.encode(_ask("show", key, config, data_dir))
    click.echo(found if as_json else msgspec.json.format(found, indent=2))


@repo.command()
@click.argument("key")
@click.option("--type", "rclass", type=click.Choice(["local", "remote", "virtual"]), help="What it is.")
@click.option("--package-type", help="generic, docker, pypi, huggingfaceml, …")
@_said_options
@json_option
@config_option
@data_dir_option
def create(
    *,
    key: str,
    rclass: str | None,
    package_type: str | None,
    file: Any,
    url: str | None,
    description: str | None,
    pairs: Sequence[str],
    as_json: bool,
    config: Path,
    data_dir: Path | None,
) -> None:
    """Make the repository KEY. It lives in the index, not in the configuration file."""
    said = _said(file, pairs, {"rclass": rclass, "packageType": package_type, "url": url, "description": description})
    made = _ask("create", {"key": key, "said": said}, config, data_dir)
    _print(made, "{key}: {rclass} {packageType} repository", as_json=as_json)


@repo.command()
@click.argument("key")
@_said_options
@click.option("--unset", multiple=True, metavar="KEY", help="Take back what was said of a key: its default holds again.")
@json_option
@config_option
@data_dir_option
def update(
    *,
    key: str,
    file: Any,
    url: str | None,
    description: str | None,
    pairs: Sequence[str],
    unset: Sequence[str],
    as_json: bool,
    config: Path,
    data_dir: Path | None,
) -> None:
    """Change what is said of the repository KEY; the rest stays."""
    said = _said(file, pairs, {"url": url, "description": description}) | dict.fromkeys(unset)
    changed = _ask("change", {"key": key, "said": said}, config, data_dir)
    _print(changed, "{key}: changed", as_json=as_json)


@repo.command()
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_option
@data_dir_option
def delete(*, key: str, yes: bool, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Remove the repository KEY with everything in it, for good."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: say --yes")
    if not yes:
        click.confirm(f"Remove {key} and every file in it?", abort=True, err=True)
    _print(_ask("delete", key, config, data_dir), "{deleted}: removed, {files} files", as_json=as_json)
