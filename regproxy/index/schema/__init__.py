"""The schema of the SQLite index, as numbered SQL files: one that has been released is never changed, only followed."""
