"""Local repositories of the hub: commits, branches and files that clients put here, in the hub's own words."""
