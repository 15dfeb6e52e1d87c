"""The methods that the benchmark compares, one file each, registered by entry point like anybody's."""
