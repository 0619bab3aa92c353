"""A local repository of Python packages: what is put into it, and its index."""
