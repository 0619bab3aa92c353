"""Tests of regproxy.admin.aql."""
