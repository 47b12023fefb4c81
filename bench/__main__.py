"""Run one benchmark, or all: `python -m bench [NAME] [OPTIONS]`."""

import importlib
import sys

NAMES = ("infrastructure", "registry", "artifacts", "engine", "planning")


def main() -> int:
    """Run the benchmark named first on the command line, else every one; return the exit code."""
    words = sys.argv[1:]
    chosen: tuple[str, ...] = NAMES
    if words and not words[0].startswith("-"):
        if words[0] not in NAMES:
            print(f"There is no benchmark {words[0]}. There are: {', '.join(NAMES)}.", file=sys.stderr)
            return 2
        chosen, words = (words[0],), words[1:]
    codes: list[int] = [importlib.import_module(f"bench.{name}").run(words) for name in chosen]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
