"""What tests of real processes share."""

from collections.abc import Callable

import pytest

from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

TWO = "workers = 2\ndrainSeconds = 30"


@pytest.fixture
def two_workers(twist_regproxy: Callable[..., Regproxy]) -> Callable[..., Regproxy]:
    """Starts a server of two workers, as ``twist_regproxy`` does, and waits until both serve."""

    def start(repositories: str, server: str = TWO, **more: dict[str, str]) -> Regproxy:
        regproxy = twist_regproxy(repositories, server=server, **more)
        wait_until(lambda: "regproxy serves" in regproxy.log, 60)
        return regproxy

    return start
