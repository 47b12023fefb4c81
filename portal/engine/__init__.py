"""Where work runs: an executor on this machine now, a cluster's when one machine is not enough."""

from portal.engine.local import LocalExecutor, open_executor

__all__ = ["LocalExecutor", "open_executor"]
