"""Claims: what papers say of methods, each a small file, and whether records bear it out."""
