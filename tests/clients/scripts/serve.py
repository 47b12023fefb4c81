"""The other end of `tests.clients.lamin.Session`: runs what it is asked to in one process with the real lamindb.

A question is one line of JSON on standard input, `{"script": …, "arguments": {…}}`; so is its answer on standard
output, `{"result": …}` or `{"error": {"type", "message", "traceback"}}`. What lamindb prints goes to standard error.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any, TextIO

LOOPBACK = ("127.", "localhost", "::1")


def forbid_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Let Python's sockets reach this machine only, so that no test leans on the hub or on AWS."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host and not str(host).startswith(LOOPBACK):
        raise ConnectionRefusedError(f"The tests have no network, and {host} was asked for.")


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Run one script and return its result, or what it raised."""
    try:
        script = importlib.import_module(f"tests.clients.scripts.{question['script']}")
        return {"result": script.main(**question["arguments"])}
    except Exception as error:  # whatever the client raises is what the test wants to see
        return {
            "error": {
                "type": type(error).__name__,
                "message": str(error),
                "traceback": traceback.format_exc(),
            }
        }


def open_instance() -> None:
    """Connect to the instance named in the environment, if any, as `import lamindb` does; there is no hub to ask."""
    import lamindb_setup

    if "LAMIN_CURRENT_INSTANCE" in os.environ:
        lamindb_setup.settings.instance._is_on_hub = False
        import lamindb

        # Else each save asks for a tracked run.
        lamindb.settings.verbosity = "error"


def main(answers: TextIO) -> None:
    """Answer until standard input ends."""
    open_instance()
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    sys.addaudithook(forbid_network)
    with os.fdopen(os.dup(1), "w") as original:
        os.dup2(2, 1)
        main(original)
