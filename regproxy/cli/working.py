"""Runs a coroutine over the parts of a stopped server, with a reactor of its own."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.task import react

from regproxy.offline import opened
from regproxy.repo.parts import Parts

T = TypeVar("T")


def work(data_dir: Path, job: Callable[[Parts], Awaitable[T]]) -> T:
    """The job's result, or what it raised; ``LockedError`` if a server runs there. Once in a process: it ends the reactor."""
    results: list[T] = []
    failures: list[BaseException] = []

    async def run(reactor: PosixReactorBase) -> None:
        try:
            async with opened(reactor, data_dir) as parts:
                results.append(await job(parts))
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the reactor
            failures.append(error)

    try:
        react(run)
    except SystemExit:
        if not results and not failures:
            raise
    if failures:
        raise failures[0]
    return results[0]
