"""Detached work: a coroutine that nobody awaits still has its failure logged."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from txaio.tx import make_logger

log = make_logger()


def spawn(coroutine: Coroutine[Any, Any, object], why: str) -> "Deferred[object]":
    """Start a coroutine; what it raises is logged with ``why``. The Deferred is for tests and shutdown to wait on."""

    def failed(failure: Failure) -> None:
        log.failure("{why}: {log_failure.value!r}", failure=failure, why=why)

    return Deferred.fromCoroutine(coroutine).addErrback(failed)
