"""``regproxy user`` and ``regproxy token``: who there is, on a running server. Whoever may open its control socket may do all."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option


@click.group()
def user() -> None:
    """Work with the users of a running server."""


@click.group()
def token() -> None:
    """Work with the access tokens of a running server."""


def _ask(command: str, target: object, config: Path, data_dir: Path | None) -> Any:
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.asking import NotRunningError, ask  # noqa: PLC0415 - as above

    text = target if isinstance(target, str) else msgspec.json.encode(target).decode()
    try:
        return ask(find_data_dir(config, data_dir), command, text, Any)
    except NotRunningError as error:
        end(FAILED, str(error))


def _print(found: Any, *, as_json: bool, line: str) -> None:
    import msgspec  # noqa: PLC0415 - as above

    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    each: Mapping[str, Any]
    every: Sequence[Mapping[str, Any]] = found if isinstance(found, list) else [found]
    for each in every:
        click.echo(line.format_map(each))


@user.command("create")
@click.argument("name")
@click.option("--admin/--no-admin", default=None, help="Whether it is an administrator.")
@click.option("--email", help="Where to write to.")
@click.option("--password-file", type=click.File(), help="Has the password as its only line; - is stdin. Asked for otherwise.")
@click.option("--no-password", is_flag=True, help="For one who has tokens only.")
@json_option
@config_option
@data_dir_option
def create_user(
    name: str,
    admin: bool | None,  # noqa: FBT001 - as click calls it
    email: str | None,
    password_file: Any,
    no_password: bool,  # noqa: FBT001 - as above
    as_json: bool,  # noqa: FBT001 - as above
    config: Path,
    data_dir: Path | None,
) -> None:
    """Make the user NAME, or change it."""
    if no_password:
        password = ""
    elif password_file is not None:
        password = password_file.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not password and not no_password:
        end(FAILED, "the password is empty")
    wish = {"name": name, "password": password, "email": email, "admin": admin}
    _print(_ask("/user/put", wish, config, data_dir), as_json=as_json, line="{name}: administrator {admin}, {status}")


@user.command("list")
@json_option
@config_option
@data_dir_option
def list_users(*, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Show every user."""
    _print(_ask("/user/list", "", config, data_dir), as_json=as_json, line="{name}: administrator {admin}, {status}")


@user.command("delete")
@click.argument("name")
@json_option
@config_option
@data_dir_option
def delete_user(*, name: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Remove the user NAME, with all tokens."""
    _print(_ask("/user/delete", name, config, data_dir), as_json=as_json, line="{deleted} is no user any more")


@token.command("create")
@click.argument("username")
@click.option("--scope", default="", help="applied-permissions/user (default), artifact:REPOSITORY/PATTERN:r,w,d,a,m, …")
@click.option("--expires-in", type=click.IntRange(0), default=365 * 86_400, help="Seconds; 0 for ever.", show_default=True)
@click.option("--description", default="", help="What it is for.")
@click.option("--reference", is_flag=True, help="With a short form, for clients that limit the length.")
@json_option
@config_option
@data_dir_option
def create_token(*, reference: bool, as_json: bool, config: Path, data_dir: Path | None, **wish: Any) -> None:
    """Make a token for the user USERNAME and print it: it is shown this once."""
    issued = _ask("/token/create", {**wish, "include_reference_token": reference}, config, data_dir)
    _print(issued, as_json=as_json, line="{reference_token}" if reference else "{access_token}")
    if not as_json and sys.stderr.isatty():
        click.echo(f"its id, to revoke it: {issued['token_id']}", err=True)


@token.command("list")
@json_option
@config_option
@data_dir_option
def list_tokens(*, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Show what is known of every token, but not the tokens."""
    line = "{token_id} {subject} {scope} since {issued} {description}"
    _print(_ask("/token/list", "", config, data_dir), as_json=as_json, line=line)


@token.command("revoke")
@click.argument("identifier")
@json_option
@config_option
@data_dir_option
def revoke_token(*, identifier: str, as_json: bool, config: Path, data_dir: Path | None) -> None:
    """Take back the token with the id IDENTIFIER: it is worth nothing from now on."""
    _print(_ask("/token/revoke", identifier, config, data_dir), as_json=as_json, line="{revoked} is revoked")
