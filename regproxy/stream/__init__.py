"""Bytes in motion: from a source, through an ingest, into a growing blob, to its followers."""
