"""Protocols: what a trained method is asked, how its answers are scored, and how the scores are shown."""
