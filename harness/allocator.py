"""How memory is allocated in the processes that a run starts, where the C library is glibc."""

from __future__ import annotations

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**28)}
"""Environment: freed memory is kept for the next temporary array, but that of large arrays is given back."""
