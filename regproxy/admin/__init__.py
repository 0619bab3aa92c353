"""The REST API over configuration and nodes, in the shapes that scripts of this field rely on."""
