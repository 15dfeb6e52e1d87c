"""What papers say of the methods: each `.toml` here is one claim; docs/claims.md says how it is written."""
