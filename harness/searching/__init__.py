"""Searches with the true forward model, whose calls are counted."""

ENOUGH = 1e-12
"""The nmse at which a search ends: less means nothing, and its calls would only take time."""
