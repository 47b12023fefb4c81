"""Benchmarks beside other tools; `python -m bench` runs all, `python -m bench NAME` one."""
