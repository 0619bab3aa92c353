"""Keeping what is held true: verification and repair, the scrub, backup and restore. Sees interfaces, never a disk."""
