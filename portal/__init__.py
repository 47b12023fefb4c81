"""The storage portal: a self-hosted hub and admin console for the storage locations of LaminDB instances."""

__version__ = "0.1.0"
