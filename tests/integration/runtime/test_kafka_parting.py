"""A connection to Kafka ends at once, also where Kafka does not answer the good-bye of TLS."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest
import uvloop

from schemas.config import KafkaConfig
from services.runtime.certificates import create_context
from tests.doubles.guarded_kafka import CA, FILES, KEY

LONG_S = 15.0
"""Half of what an event loop waits for the answer; without the wait it takes some milliseconds."""


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_nobody_waits_for_an_answer_to_the_good_bye(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES / "kafka.pem", KEY)
    is_over, read = threading.Event(), list[bytes]()

    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with context.wrap_socket(accepted, server_side=True, suppress_ragged_eofs=False) as connection:
            read.append(connection.recv(100))
            is_over.wait(4 * LONG_S)

    async def visit(port: int) -> float:
        trusting = create_context(KafkaConfig(ca_file=CA))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(b"a request")
        await writer.drain()
        begun_s = time.monotonic()
        writer.close()
        await writer.wait_closed()
        return time.monotonic() - begun_s

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            with asyncio.Runner(loop_factory=loop) as runner:
                assert runner.run(visit(listener.getsockname()[1])) < LONG_S
        finally:
            is_over.set()
            server.join()
    assert read == [b"a request"]
