"""Protocols, metrics and statistics. Metrics and statistics are pure functions."""
