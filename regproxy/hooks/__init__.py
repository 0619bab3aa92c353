"""Webhooks: tells others what has happened, signed, until they have heard it."""
