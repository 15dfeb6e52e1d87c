"""The reference posterior, and distances from it."""
