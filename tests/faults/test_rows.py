"""The rows of the fault matrix that any proxy can be asked about, played before a real regproxy.

``REGPROXY_FULL=1`` (``make faults``) plays them in real time, with 200 clients and 256 MiB. ``REGPROXY_SEED`` repeats what was
drawn.
"""

import os
import random
from collections.abc import Callable

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.faults.cases import CASES
from tests.faults.conftest import SCALE, Stage
from tests.faults.scene import Case, Scene

SEED = int(os.environ.get("REGPROXY_SEED") or random.randrange(1 << 30))
PLAYED = [
    pytest.param(case, chunked, id=f"{case.id}{'-chunked' if chunked else ''}")
    for case in sorted(CASES, key=lambda case: case.row)
    for chunked in ((False, True) if case.both_framings else (False,))
]


def _play(case: Case, scene: Scene, stage: Stage) -> None:
    try:
        case.play(scene)
        stage.invariants.check(scene.drop_idle)
    finally:
        scene.forget()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("case", "chunked"), PLAYED)
async def test_row(case: Case, stage: Stage, record_property: Callable[[str, object], None], *, chunked: bool) -> None:
    """The row's outcome, and after it the invariants."""
    record_property("REGPROXY_SEED", SEED)
    name = f"row{case.row}/case{CASES.index(case)}{'c' if chunked else ''}"
    upstreams = (stage.other, stage.canary)
    scene = Scene(stage.upstream, stage.regproxy.port, SCALE, name, SEED, chunked, *upstreams, continues=True)
    await deferToThread(_play, case, scene, stage)
    assert stage.upstream.failures == []
