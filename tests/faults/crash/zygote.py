"""A process that has everything imported, runs under the shim, and forks a child for each run: a start costs a few milliseconds.

One JSON object per line on stdin, one per line on stdout. It has no reactor of its own: each child makes one.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.faults.crash import fetches, replayed, seeded, serving, uploads

LIMIT_SECONDS = 60
PROGRAMS = {
    "start": serving.start,
    "fetches": fetches.work,
    "fetches, checked": fetches.check,
    "uploads": uploads.work,
    "uploads, checked": uploads.check,
    "durable": replayed.durable,
}


def child(job: dict[str, Any]) -> int:
    """Run one program with its calls counted."""
    signal.alarm(LIMIT_SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seeded.plant(job.get("bug"))
    from twisted.internet import reactor  # noqa: PLC0415 - installs one in this child
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - as above

    run = serving.Run(Path(job["data_dir"]), Path(job["journal"]), job["url"], job.get("clients", 1))
    shim = ctypes.CDLL(None)
    result: dict[str, Any] = {}

    def ended(outcome: object) -> None:
        result["points"] = shim.crash_disarm()
        if hasattr(outcome, "getTraceback"):
            result["failure"] = f"{outcome.type.__name__}: {outcome.value}"  # type: ignore[attr-defined] # a Failure
            result["traceback"] = outcome.getTraceback()
        else:
            result["value"] = outcome
        reactor.stop()

    def begin() -> None:
        folder, log = str(run.data_dir).encode(), job.get("log", "").encode()
        shim.crash_arm(folder, log, ctypes.c_long(job["at"]), job["kind"], int(job.get("coarse", False)))
        Deferred.fromCoroutine(PROGRAMS[job["program"]](reactor, run)).addBoth(ended)

    reactor.callWhenRunning(begin)
    reactor.run()
    Path(job["result"]).write_text(json.dumps(result))
    return 0


def main() -> None:
    """Serve jobs until stdin ends."""
    assert "twisted.internet.reactor" not in sys.modules, "a reactor before the fork would be shared by all children"
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if not pid:
            code = 70
            try:
                code = child(job)
            except BaseException:  # noqa: BLE001 - nothing may get back into the parent's loop
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
