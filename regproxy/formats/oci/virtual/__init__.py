"""Virtual repositories of images: several registries as one."""
