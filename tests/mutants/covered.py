"""Which tests run which line, and how long each takes.

As a plugin (``-p tests.mutants.covered``) it watches a run of pytest and writes what it saw; ``Covered`` reads that.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from attrs import frozen
from coverage import Coverage

WATCHED = ("regproxy/store", "regproxy/stream")
FILE = "covered.json"


class _Watch:
    """One run, with the name of the test that is running as coverage's context."""

    def __init__(self) -> None:
        include = [f"{name}/*" for name in WATCHED]
        self._coverage = Coverage(data_file=None, include=include, concurrency=["thread", "greenlet"], config_file=False)
        self._took: dict[str, float] = {}
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note which lines a test runs, and for how long."""
        self._coverage.switch_context(item.nodeid)
        began = time.monotonic()
        result = yield
        self._took[item.nodeid] = time.monotonic() - began
        return result

    def pytest_sessionfinish(self) -> None:
        """Write it down."""
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {os.path.relpath(path): data.contexts_by_lineno(path) for path in data.measured_files()}
        Path(FILE).write_text(json.dumps({"lines": lines, "took": self._took}))


def pytest_configure(config: pytest.Config) -> None:
    """Begin before anything of regproxy is imported."""
    config.pluginmanager.register(_Watch())


@frozen
class Covered:
    """What was seen: file → line → tests, and test → seconds."""

    _lines: dict[str, dict[int, frozenset[str]]]
    _took: dict[str, float]

    @classmethod
    def read(cls, folder: Path) -> "Covered":
        """What the plugin wrote in a folder."""
        read = json.loads((folder / FILE).read_text())
        lines: defaultdict[str, dict[int, frozenset[str]]] = defaultdict(dict)
        for path, found in read["lines"].items():
            for line, tests in found.items():
                lines[path][int(line)] = frozenset(tests)
        return cls(lines, read["took"])

    def tests(self, path: str, line: int) -> list[str]:
        """Those that run a line, the quickest first. A line that runs at import concerns all tests of its file."""
        found = self._lines.get(path, {})
        # A statement of several lines is known by some of them only.
        near = next((found[at] for at in range(line, max(0, line - 4), -1) if at in found), frozenset())
        named = near - {""}
        if not named and near:
            named = frozenset[str]().union(*found.values()) - {""}
        return sorted(named, key=lambda test: self._took[test])

    def seconds(self, tests: Sequence[str]) -> float:
        """How long they take together."""
        return sum(self._took.get(test, 5.0) for test in tests)
