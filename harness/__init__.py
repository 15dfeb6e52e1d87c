"""A benchmark harness for inverse methods: which designs x give the target y = f(x)?"""

__version__ = "0.1.0"
