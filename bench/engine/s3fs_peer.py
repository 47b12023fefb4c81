"""Plain s3fs in a process of its own, as the documentation of fsspec has it: lists of paths, 64 at a time.

`python -m bench.engine.s3fs_peer ENDPOINT SOURCE TARGET`, each end a folder or `s3://bucket`; without TARGET the keys
are listed. The key comes by environment.
"""

import os
import sys
from pathlib import Path

import s3fs

BATCH = 64


def main() -> None:
    """Copy everything, or list it."""
    endpoint_url, source, *rest = sys.argv[1:]
    files = s3fs.S3FileSystem(
        key=os.environ["AWS_ACCESS_KEY_ID"],
        secret=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=endpoint_url,
        config_kwargs={"max_pool_connections": BATCH, "s3": {"addressing_style": "path"}},
    )
    if not rest:
        print(len(files.find(source)))
        return
    target = rest[0]
    if source.startswith("s3://"):
        names = [str(key).partition("/")[2] for key in files.find(source)]
    else:
        names = [str(path.relative_to(source)) for path in Path(source).rglob("*") if path.is_file()]
    here, there = [f"{source}/{name}" for name in names], [f"{target}/{name}" for name in names]
    if not source.startswith("s3://"):
        files.put(here, there, batch_size=BATCH)
    elif target.startswith("s3://"):
        files.copy(here, there, batch_size=BATCH)
    else:
        files.get(here, there, batch_size=BATCH)


if __name__ == "__main__":
    main()
