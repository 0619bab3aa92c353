"""Pure values and rules: no reactor, no file, no socket."""
