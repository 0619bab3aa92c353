"""A virtual repository of Python packages: several indexes as one, in which a name is one member's."""
