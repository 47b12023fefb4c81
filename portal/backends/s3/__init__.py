"""S3 and S3-compatible endpoints, by botocore's own client: the one that s3fs stands on and pins.

Why not s3fs itself: it renames errors to OSError and drops the answer's headers (region, Retry-After, server time),
which is what a person needs to be told; it runs everything on one event loop in one thread, while transfers use many
threads; it caches listings and instances, with their credentials, for the life of the process; and it buffers whole
objects on the way up. botocore's client is synchronous, thread-safe, and streams. Nothing else is gained or lost:
the same signer, credential chain and version pins. Bulk copying has its own, faster client in `transfer`.
"""

from portal.backends.s3.backend import S3Backend
from portal.backends.s3.client import detect_region

__all__ = ["S3Backend", "detect_region"]
