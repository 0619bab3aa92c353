"""Of several hubs as one."""
