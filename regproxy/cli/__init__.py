"""The ``regproxy`` command."""
