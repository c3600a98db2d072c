"""What a site is given to join with is read as hostile before anything is done with it."""

import os
from pathlib import Path

import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.transports.flare.enrol import install
from tests.coded import coded


def test_a_kit_that_is_a_pipe_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "kit.zip"
    os.mkfifo(pipe)
    with pytest.raises(FederationError, check=coded("not-a-file")):
        install(pipe, tmp_path, "SHA256:AB", tmp_path / "out", "client")
    assert list(tmp_path.iterdir()) == [pipe]
