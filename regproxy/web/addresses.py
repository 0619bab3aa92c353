"""The external address of this server, for the absolute URLs that some formats have to advertise.

``baseUrl`` of the configuration, else ``X-JFrog-Override-Base-Url`` or ``X-Forwarded-Proto`` / ``-Host`` from a trusted
proxy, else what the client put into ``Host``. No slash at the end; the ``/artifactory`` prefix that the client used comes behind.
"""

import re

from attrs import frozen

from regproxy.web.clients import Trusted
from regproxy.web.request import ProxyRequest

_URL = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~/-]*)?")
_HOST = re.compile(r"[A-Za-z0-9._~:\[\]-]+")


@frozen
class BaseUrl:
    """Tells the address; ``trusted`` are the proxies in front of us."""

    _configured: str
    _trusted: Trusted

    @classmethod
    def of(cls, configured: str, trusted: tuple[str, ...]) -> "BaseUrl":
        """From ``[server]``; ``ValueError`` for what is no network."""
        return cls(configured.rstrip("/"), Trusted.of(trusted))

    def __call__(self, request: ProxyRequest) -> str:
        """The address for the client of this request."""
        if self._configured:
            return self._configured + request.prefix
        if self._trusted.covers(getattr(request.getClientAddress(), "host", "")):
            override = request.getHeader("x-jfrog-override-base-url") or ""
            if _URL.fullmatch(override):
                return override.rstrip("/")
            proto = (request.getHeader("x-forwarded-proto") or "").strip().lower()
            host = (request.getHeader("x-forwarded-host") or "").strip()
            if proto in ("http", "https") and _HOST.fullmatch(host):
                return f"{proto}://{host}{request.prefix}"
        scheme = "https" if request.isSecure() else "http"
        return f"{scheme}://{request.getHeader('host') or 'localhost'}{request.prefix}"
