"""Loads a configuration file: ``load`` is all that the rest of the program needs, at the start and at each SIGHUP.

It reads the file, the environment and the files of secrets and certificates that the configuration names, and nothing else.
Paths of such files are relative to the configuration file; ``dataDir`` is relative to the working directory.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from regproxy.config_checks import check
from regproxy.config_reading import ConfigurationError, Mistakes, parse, read_tables, with_environment
from regproxy.formats_found import find_formats
from regproxy.model.settings import Configuration
from regproxy.repo.interface import Format
from regproxy.secrets import resolved

__all__ = ["ConfigurationError", "load"]


def load(
    path: str | Path,
    *,
    formats: Mapping[str, Format] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Configuration:
    """Read and check a configuration; secrets stand in ``password`` and ``token`` afterwards, paths of files are absolute.

    Raises ``ConfigurationError`` with every mistake that was found. ``formats`` are those that exist, found if not given.
    """
    file = Path(path)
    mistakes = Mistakes(str(path))
    try:
        text = file.read_bytes()
    except OSError as error:
        mistakes.add("line 1", f"expected a readable file: {error.strerror}")
        text = b""
    raw = parse(text, mistakes)
    mistakes.check()
    configuration = read_tables(with_environment(raw, os.environ if environment is None else environment, mistakes), mistakes)
    if configuration is None:
        mistakes.check()
        raise AssertionError
    check(configuration, find_formats() if formats is None else formats, mistakes)
    complete = resolved(configuration, file.absolute().parent, mistakes)
    mistakes.check()
    return complete
