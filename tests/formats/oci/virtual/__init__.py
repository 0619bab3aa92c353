"""Several registries as one."""
