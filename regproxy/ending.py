"""The end, step by step: one that fails is told, and keeps none of the others from happening.

On a disk that has become read-only sockets keep their names, and neither a journal nor the index takes anything: streams are
finished all the same, and what can be closed is closed.
"""

from collections.abc import Awaitable, Callable

from txaio.tx import make_logger

from regproxy.errors import RegproxyError

log = make_logger()

Step = Callable[[], Awaitable[object] | None]


async def in_turn(*steps: Step) -> None:
    """Take one step after the other, each when the one before has ended, well or not."""
    for step in steps:
        try:
            outcome = step()
            if outcome is not None:
                await outcome
        except OSError as error:
            log.error("not all could be closed: {error}", error=error)  # noqa: TRY400 - it says all there is to say
        except RegproxyError as error:  # a full disk: the next start looks at what the index could not note
            log.error("not all could be closed: {error!r} {detail}", error=error, detail=error.detail)  # noqa: TRY400 - as above
        except Exception:  # noqa: BLE001 - a defect in one step is no reason to leave the others out
            log.failure("not all could be closed: {log_failure.value!r}")
