"""A caching, verifying, streaming proxy of artifact registries, built on Twisted."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("regproxy")
except PackageNotFoundError:  # run from a checkout that nobody installed
    __version__ = "0+unknown"
