"""Several hubs as one."""
