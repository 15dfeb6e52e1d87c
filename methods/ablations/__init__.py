"""Ablations of the methods: each `.toml` here is one; docs/ablations.md says how it is written."""
