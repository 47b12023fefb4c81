"""The I/O shell of a migration: scan, copy, verify. Knows backends and planning; no database, no web.

`scan` writes plan segments; `copy_shard` and `verify_shard` run in worker processes, one shard at a time, and hand back
values. What they did survives a kill in a journal beside the result, so running a shard again ends the same.
"""
