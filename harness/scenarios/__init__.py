"""Scenarios: other views of a task's data and questions. `contract.py` is all that an author of one reads."""
