"""`portal runner` with a low limit for uploads in parts, so that some MiB are enough to meet them.

Workers are spawned and import this file again, so the limit holds in them too.
"""

import os
from pathlib import Path

from portal.backends.s3.uploads import UploadOptions
from tests.soak import hold

MIB = 1024 * 1024

#: What goes up in one request at most, and the size of a part (AWS's least).
LIMITS = (5 * MIB, 5 * MIB)

setattr(UploadOptions.__init__, "__defaults__", LIMITS)  # noqa: B010 - a method's defaults are read-only to mypy

if hold.VARIABLE in os.environ:
    HOLD = hold.Hold(Path(os.environ[hold.VARIABLE]))
    hold.slow_down(HOLD)

if __name__ == "__main__":
    from portal.app import main

    if hold.VARIABLE in os.environ:
        hold.tell_phases(HOLD)
    main()
