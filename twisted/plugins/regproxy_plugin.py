"""Makes ``twist regproxy`` known to Twisted; this folder must have no ``__init__.py``."""

from twisted.application.service import ServiceMaker

regproxy = ServiceMaker(
    "regproxy",
    "regproxy.tap",
    "A caching, verifying, streaming proxy of artifact registries.",
    "regproxy",
)
