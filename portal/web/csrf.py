"""Refuse requests that another site made a browser send.

Browsers say where a request comes from: `Sec-Fetch-Site` (all since 2023, https://developer.mozilla.org/docs/Web/HTTP/
Headers/Sec-Fetch-Site), before that `Origin`. A changing request with neither is refused; so forms need no token.
"""

from urllib.parse import urlsplit

from flask import Flask, request

from portal.errors import PermissionDenied

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def register(app: Flask) -> None:
    """Check every changing request."""
    app.before_request(refuse_cross_site)


def refuse_cross_site() -> None:
    """Refuse a changing request that does not come from a page of this portal.

    Raises:
        PermissionDenied: it comes from elsewhere, or does not say.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site == "same-origin"
    else:
        allowed = origin is not None and urlsplit(origin).netloc == request.host
    if not allowed:
        raise PermissionDenied(
            "This request did not come from a page of this portal, so nothing was changed.",
            hint="Open the page in the portal and send the form from there.",
        )
