"""``regproxy prefetch``. Without ``--url`` it goes in by the side door of this machine's server, and may fetch all."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from regproxy.cli.ending import FAILED, config_option, data_dir_option, end, find_data_dir, json_option

if TYPE_CHECKING:
    from regproxy.cli.prefetching.gathering import Item, Summary

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def prefetch() -> None:
    """Have a running server fetch what will be asked for. What it has already is not fetched again.

    Exit status: 0 all of it is there now; 1 some of it is not, and stderr says what; 3 a configuration with mistakes.
    """


def _options(command: F) -> F:
    options = [
        click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="How many things at a time."),
        click.option("--url", help="Of another server, or of a port; $REGPROXY_TOKEN is shown there. Else dataDir says where."),
        json_option,
        config_option,
        data_dir_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _run(items: "Iterable[Item]", others: Sequence[str], options: dict[str, Any]) -> None:
    """Fetch, show, and end with the status."""
    import msgspec  # noqa: PLC0415 - the help needs none of these

    from regproxy.cli.asking import NotRunningError  # noqa: PLC0415 - as above
    from regproxy.cli.prefetching.gathering import Failed, Gathering  # noqa: PLC0415 - as above
    from regproxy.cli.prefetching.server import Inside, Outside, Server  # noqa: PLC0415 - as above
    from regproxy.cli.showing import Bar  # noqa: PLC0415 - as above

    url = options["url"]
    inside = None if url else Inside(find_data_dir(options["config"], options["data_dir"]).absolute())
    way = inside or Outside(url.rstrip("/"))
    try:
        way.credential()  # whether there is anybody to ask
        with Bar("fetching") as bar:
            summary = Gathering(Server(way), bar.show, options["jobs"]).run(items)
    except NotRunningError as error:
        end(FAILED, str(error))
    finally:
        if inside is not None:
            inside.leave()
    summary.failed += [Failed(each, "not a requirement that an index can fulfil") for each in others]
    click.echo(msgspec.json.encode(summary) if options["as_json"] else _line(summary))
    for failed in summary.failed:
        click.echo(f"{failed.name}: {failed.reason}", err=True)
    sys.exit(FAILED if summary.failed else 0)


def _line(summary: "Summary") -> str:
    from regproxy.cli.showing import size  # noqa: PLC0415 - as above

    failed = f", {len(summary.failed)} failed" if summary.failed else ""
    return f"{summary.fetched} fetched ({size(summary.bytes)}), {summary.held} were there{failed}"


@prefetch.command()
@click.argument("repository")
@click.argument("images", nargs=-1, required=True)
@click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH[/VARIANT]", help="These only; else all.")
@_options
def image(*, repository: str, images: Sequence[str], platforms: Sequence[str], **options: Any) -> None:
    """Fetch IMAGES (NAME[:TAG][@DIGEST], as upstream has them) through the remote REPOSITORY."""
    from regproxy.cli.prefetching.images import Images  # noqa: PLC0415 - as above

    plan = Images(repository, platforms)
    _run([plan.item(each) for each in images], (), options)


@prefetch.command()
@click.argument("repository")
@click.argument("names", nargs=-1, required=True)
@click.option("--type", "kind", type=click.Choice(["model", "dataset", "space"]), default="model", show_default=True)
@click.option("--revision", default="main", show_default=True, help="A branch, a tag or a commit.")
@click.option("--include", "includes", multiple=True, metavar="PATTERN", help="These files only, such as *.safetensors.")
@click.option("--exclude", "excludes", multiple=True, metavar="PATTERN", help="Not these.")
@_options
def model(
    *,
    repository: str,
    names: Sequence[str],
    kind: str,
    revision: str,
    includes: Sequence[str],
    excludes: Sequence[str],
    **options: Any,
) -> None:
    """Fetch models (or datasets, or spaces) NAMES through the remote REPOSITORY."""
    from regproxy.cli.prefetching.models import Models  # noqa: PLC0415 - as above

    plan = Models(repository, kind, revision, includes, excludes)
    _run([plan.item(each) for each in names], (), options)


@prefetch.command()
@click.argument("repository")
@click.argument("requirements", nargs=-1)
@click.option("-r", "--requirement", "files", multiple=True, type=click.Path(path_type=Path), help="A file of requirements.")
@click.option("--python", "pythons", multiple=True, metavar="3.x", help="For this version in place of the one that runs this.")
@click.option("--platform", "platforms", multiple=True, metavar="TAG", help="For this platform, such as manylinux_2_28_x86_64.")
@click.option("--no-deps", is_flag=True, help="Not what they depend on.")
@click.option("--sdist", "sdists", is_flag=True, help="Source as well, where a wheel fits.")
@_options
def packages(
    *,
    repository: str,
    requirements: Sequence[str],
    files: Sequence[Path],
    pythons: Sequence[str],
    platforms: Sequence[str],
    no_deps: bool,
    sdists: bool,
    **options: Any,
) -> None:
    """Fetch what REQUIREMENTS need of the package index REPOSITORY: the newest files that fit, and their dependencies.

    This is no resolver: give it a file of pins, and it fetches just those.
    """
    from regproxy.cli.prefetching.packages import Packages, bounds_of  # noqa: PLC0415 - as above
    from regproxy.cli.prefetching.platforms import platform_for, this_platform  # noqa: PLC0415 - as above
    from regproxy.cli.prefetching.requirements import Requirements  # noqa: PLC0415 - as above

    if not requirements and not files:
        raise click.UsageError("nothing to fetch: name requirements, or a file of them by -r")
    wanted = Requirements()
    try:
        for each in requirements:
            wanted.add(each)
        for file in files:
            wanted.read(file)
        chosen = [platform_for(python, platform) for python in pythons or ("",) for platform in platforms or ("",)]
    except OSError as error:
        end(FAILED, f"{error.filename or ''}: {error.strerror or error}")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    places = chosen if pythons or platforms else [this_platform()]
    plan = Packages(repository, places, bounds_of([*wanted.wanted, *wanted.bounds]), not no_deps, sdists)
    _run([item for each in wanted.wanted for item in plan.items(each)], wanted.others, options)


@prefetch.command()
@click.argument("repository")
@click.argument("paths", nargs=-1, required=True)
@_options
def file(*, repository: str, paths: Sequence[str], **options: Any) -> None:
    """Fetch files at PATHS of the generic remote REPOSITORY."""
    from urllib.parse import quote  # noqa: PLC0415 - as above

    from regproxy.cli.prefetching.gathering import Item  # noqa: PLC0415 - as above

    _run([Item(f"/{repository}/{quote(path.lstrip('/'))}", path) for path in paths], (), options)
