"""Decisions without I/O: roots, overlaps, listings merged, differences turned into actions, states, retries.

Pure: no framework, storage library, clock, randomness or thread; time and jitter are arguments.
"""
