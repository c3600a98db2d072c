"""The server of the app: what it has read before it listens."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.whole
LOOK = """
import gc, sys
import streamlit.web.cli
read = lambda: "app.panels.ranking" in sys.modules
streamlit.web.cli.main = lambda: print(gc.get_freeze_count(), len(gc.get_objects()), read())
from app.server import main
main()
"""


def test_what_pages_are_made_of_is_read_before_the_first_visitor_and_left_out_of_collections() -> None:
    said = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=120).stdout
    frozen, looked_at, read = said.split()
    assert read == "True"
    assert int(frozen) > 100_000 and int(looked_at) < 1_000
