"""``python -m regproxy`` is the ``regproxy`` command."""

from regproxy.cli.main import main

main(prog_name="regproxy")
