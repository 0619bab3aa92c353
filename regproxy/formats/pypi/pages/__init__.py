"""A project's page: one model, two forms to read and write it in. Pure."""
