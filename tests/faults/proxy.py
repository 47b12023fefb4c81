"""A second address of an S3 server on which things go wrong, by a script and a seed.

It passes requests on with the Host the client signed, so signatures stay good, and spoils some on the way there or
back. What happens to a request depends on the seed, on what is asked and on how often that was asked before, not on the
order in which threads come: the same seed spoils the same requests again.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.faults.messages import Answer, Request, read_answer, read_request, resigned
from tests.faults.script import SILENT, Fault, Script
from tests.servers import S3Server, free_port

#: What spoils an answer of the server, which may hold nothing that can be spoiled: counted once it has done so.
_ON_ANSWERS = frozenset(
    {Fault.CUT_DOWN, Fault.SHORT_DOWN, Fault.FLIP_DOWN, Fault.STALE_LIST, Fault.NO_ETAG, Fault.WRONG_ETAG}
)


class FaultProxy:
    """A faulty way to `server`. It does no harm until it is given a script.

    Attributes:
        script: what goes wrong from now on.
        done: how often each fault did harm: an answer that had nothing to spoil does not count.
        asked: how often each operation was asked for.
    """

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self.port = free_port()
        self.script = SILENT
        self.done: Counter[Fault] = Counter()
        self.asked: Counter[str] = Counter()
        self._occurrences: Counter[str] = Counter()
        self._listings: dict[str, Answer] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    @property
    def endpoint_url(self) -> str:
        """Return the URL to give as `endpoint_url`."""
        return f"http://127.0.0.1:{self.port}"

    def play(self, script: Script) -> None:
        """Begin a script: counters of what was asked start anew, listings told so far are the stale ones."""
        self._occurrences.clear()
        self.script = script

    def stop_faults(self) -> None:
        """Let everything through again."""
        self.script = SILENT

    def forget(self) -> None:
        """Forget listings and counters, between two tests."""
        self.stop_faults()
        self._listings.clear()
        self.done.clear()
        self.asked.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = self._run(asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**20))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _end(self) -> None:
        # In the loop's own thread: else a connection that ends at this moment takes away the list `close` goes through.
        self._listener.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await read_request(reader, writer)) is not None:
                if not await self._handle(request, writer):
                    break
        writer.close()

    async def _handle(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is of no more use."""
        script, name = self.script, request.name
        self._occurrences[name] += 1
        self.asked[request.operation] += 1
        occurrence = self._occurrences[name]
        fault = script.fault_for(request, occurrence, self._occurrences.total())
        return await self._play(fault, _Case(script, request, occurrence), writer)

    async def _play(self, fault: Fault | None, case: "_Case", writer: asyncio.StreamWriter) -> bool:
        script, request = case.script, case.request
        if fault is not None and fault not in _ON_ANSWERS:
            self.done[fault] += 1
        match fault:
            case Fault.SLOW_DOWN:
                return await _send(writer, request, Answer.error(503, "SlowDown"))
            case Fault.FORBIDDEN:
                return await _send(writer, request, Answer.error(403, script.refusal))
            case Fault.RESET_BEFORE:
                return _reset(writer)
            case Fault.HANG:
                await asyncio.sleep(script.hang_seconds)
                return _reset(writer)
            case Fault.CUT_UP:
                await self._forward(request, request.body[: len(request.body) // 2])
                return _reset(writer)
        answer = await self._answered(fault, case)
        if fault is Fault.RESET_AFTER:
            return _reset(writer)
        is_stale = fault is Fault.STALE_LIST
        told = self._listings[request.target] if is_stale else _spoiled(fault, case, answer)
        is_cut = fault is Fault.CUT_DOWN and bool(answer.body)
        if fault in _ON_ANSWERS and (is_cut or told != answer):
            self.done[fault] += 1
        return await _send(writer, request, told, cut=is_cut)

    async def _answered(self, fault: Fault | None, case: "_Case") -> Answer:
        """Let the server answer, what is sent up perhaps spoiled."""
        request = case.request
        if fault is Fault.FLIP_UP:
            return await self._forward(request, case.flipped(request.body))
        if fault is Fault.FLIP_UNSEEN:
            # As if the server did not look at Content-MD5: it gets a request that is right in itself.
            body = case.flipped(request.body)
            return await self._forward(resigned(request, body, self._server), body)
        answer = await self._forward(request, request.body)
        if request.operation == "list":
            self._listings.setdefault(request.target, answer)
        return answer

    async def _forward(self, request: Request, body: bytes) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port, limit=2**20)
        try:
            writer.write(request.head())
            with suppress(ConnectionError):
                writer.write(body)
                await writer.drain()
            if len(body) != len(request.body):
                return Answer(0, {}, b"")
            return await read_answer(reader)
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class _Case:
    """One request, made for the `occurrence`th time."""

    script: Script
    request: Request
    occurrence: int

    def flipped(self, data: bytes) -> bytes:
        """Return bytes of which one has one bit turned, and never the same bit of what is asked for again.

        What turns the same way twice can't be told from the truth: chance does that once in some hundred runs.
        """
        if not data:
            return data
        first = self.script.chance(self.request, 0).randrange(8 * len(data))
        at, bit = divmod((first + self.occurrence) % (8 * len(data)), 8)
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def _spoiled(fault: Fault | None, case: _Case, answer: Answer) -> Answer:
    match fault:
        case Fault.FLIP_DOWN if answer.status < 300:
            return answer.with_body(case.flipped(answer.body))
        case Fault.SHORT_DOWN if answer.status < 300:
            return answer.with_body(answer.body[: len(answer.body) // 2])
        case Fault.NO_ETAG:
            return answer.with_etag("")
        case Fault.WRONG_ETAG:
            return answer.with_etag(case.script.wrong_etag())
    return answer


async def _send(writer: asyncio.StreamWriter, request: Request, answer: Answer, *, cut: bool = False) -> bool:
    data = answer.encoded(request)
    if cut:
        writer.write(data[: len(data) - len(answer.body) + len(answer.body) // 2])
        await writer.drain()
        return False
    writer.write(data)
    await writer.drain()
    return not request.wants_close


def _reset(writer: asyncio.StreamWriter) -> bool:
    """End a connection as a crash does: with a reset, not in order."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
