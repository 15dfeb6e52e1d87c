"""The reference posterior of a target, and how far draws of a method are from it.

No module here knows a method or a protocol: they take a task, tensors and a generator.
"""
