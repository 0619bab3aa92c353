"""Files of any HTTP server, as they are: the worked example of a format's folder."""

from regproxy.formats.generic.routes import FORMAT

__all__ = ["FORMAT"]
