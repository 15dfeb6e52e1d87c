"""The tasks of this repository: one file each, registered by entry point like anybody's."""
