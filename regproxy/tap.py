"""``twist regproxy``: its options, and the way from them to a service.

A configuration with mistakes ends the program with status 3 and one line per mistake on stderr, without a traceback; so
does a data directory that another process holds. ``twist`` imports this module for its list of commands: nothing heavy up here.
"""

import sys
from typing import TYPE_CHECKING, ClassVar

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions

from regproxy.importing import importing

if TYPE_CHECKING:
    from regproxy.standing import Logging

EXIT_CONFIGURATION = 3


class Options(UsageOptions):
    """The command line of ``twist regproxy``."""

    synopsis = "[--config FILE]"
    longdesc = "Serves the repositories that FILE declares; SIGHUP reads it again, SIGTERM stops."
    optParameters: ClassVar[list[list[str]]] = [  # noqa: N815 - the name that Twisted reads
        ["config", "c", "etc/regproxy.toml", "The configuration file (TOML)."]
    ]


def _logging(options: Options) -> "Logging":
    """How ``twist`` was told to log: workers do likewise."""
    from twisted.logger import jsonFileLogObserver  # noqa: PLC0415 - as in makeService

    from regproxy.standing import Logging  # noqa: PLC0415 - as in makeService

    told = options.parent
    if told is None:  # not run by twist
        return Logging()
    form = "json" if told["fileLogObserverFactory"] is jsonFileLogObserver else "text"
    return Logging(form, told["logLevel"].name, told["logFile"].fileno())


def makeService(options: Options) -> IService:  # noqa: N802 - the name that twist looks for
    """Build everything that the configuration asks for; ``SystemExit`` with status 3 if it has mistakes."""
    from regproxy.hangups import note_hangups  # noqa: PLC0415 - twist lists its commands without our imports

    note_hangups()
    with importing():
        from regproxy.config import ConfigurationError  # noqa: PLC0415 - as above
        from regproxy.formats_found import find_formats  # noqa: PLC0415 - as above
        from regproxy.lock import LockedError  # noqa: PLC0415 - as above
        from regproxy.service import make_service  # noqa: PLC0415 - as above

        find_formats()  # imports them
    try:
        return make_service(options["config"], _logging(options))
    except (ConfigurationError, LockedError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
