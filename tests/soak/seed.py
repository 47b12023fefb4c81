"""What decides which runs are drawn."""

import os
import secrets

#: Of the few runs that `make test` makes: the same ones each time.
SAMPLE_SEED = 20261123

#: Of the soak's runs; told in the head of the report.
SEED = int(os.environ.get("SOAK_SEED") or secrets.randbelow(1_000_000))
RUNS = int(os.environ.get("SOAK_RUNS") or 80)

# pytest-xdist's processes draw the same runs.
os.environ["SOAK_SEED"] = str(SEED)
