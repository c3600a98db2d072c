"""The server of the app: what it has read before it listens."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.whole
LOOK = """
import gc, sys
import streamlit.web.cli
read = lambda: "app.panels.ranking.ranking" in sys.modules
streamlit.web.cli.main = lambda: print(gc.get_freeze_count(), len(gc.get_objects()), read())
from app.server import main
main()
"""


def test_what_pages_are_made_of_is_read_before_the_first_visitor_and_left_out_of_collections() -> None:
    said = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=120).stdout
    frozen, looked_at, read = said.split()
    assert read == "True"
    assert int(frozen) > 100_000 and int(looked_at) < 1_000


SEND = """
import asyncio, socket
from streamlit.web.server.starlette import starlette_server
from app.server import send_at_once

async def delays():
    listening = starlette_server._bind_socket("127.0.0.1", 0, 8)
    seen = asyncio.get_running_loop().create_future()
    def connected(reader, writer):
        seen.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0)
        writer.close()
    async with await asyncio.start_server(connected, sock=listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        found = await asyncio.wait_for(seen, 30)
        writer.close()
        return found

before = asyncio.run(delays())
send_at_once()
print(before, asyncio.run(delays()))
"""


def test_the_server_sends_small_answers_at_once_which_streamlits_own_socket_does_not() -> None:
    said = subprocess.run([sys.executable, "-c", SEND], capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.split() == ["True", "False"]  # once the first is False, Streamlit does so itself


ELSEWHERE = """
from streamlit.web.server.starlette import starlette_server
del starlette_server._bind_socket
from app.server import send_at_once
send_at_once()
print(hasattr(starlette_server, "_bind_socket"))
"""


def test_a_streamlit_that_makes_its_socket_elsewhere_is_left_as_it_is() -> None:
    said = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, check=False, timeout=120)
    assert (said.returncode, said.stdout.strip()) == (0, "False"), said.stderr
