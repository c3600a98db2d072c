"""Orders from a terminal: what gathers is shown, an order that is refused ends with its sentence and exit code 1."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.federation.orders import Controls
from fedprompt.workspace.rounds.gathering_now import Teller
from fedprompt.workspace.rounds.given_orders import BankDesk, orders_of
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, STUDY

RUN = "r1:" + "a" * 32
SITES = ("ant", "bee", "cat")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """A home where a round of three sites gathers."""
    digest = STUDY.digest(MODEL.info.digest)
    with new_workspace(tmp_path) as opened:
        opened.bank.record_study(STUDY, digest, MODEL.info.digest)
        opened.bank.start_run(RUN, kind="federate", study=digest, settings={"sites": list(SITES)})
        with Teller(opened.home, RUN) as teller:
            some = {"quorum": 3, "answered": 1, "seconds": None, "asked": {"bee": 0}, "missing": {"cat": "it is away"}}
            teller.tell({"token": "0" * 16, "round": 2, "step": "tune", "waiting": ["bee"], "came": ["ant"], **some})
            yield opened


def test_what_gathers_is_shown(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "round", "show", "--home", str(ws.home.path)]) == 0
    said = capsys.readouterr().out
    assert "round 2, tune; 1 answered, 3 " in said
    assert "working" in said and "it is away" in said


@pytest.mark.usefixtures("ws")
def test_an_order_that_is_refused_ends_with_exit_code_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    over = threading.Event()

    def gathers() -> None:
        with open_workspace(tmp_path) as here:
            desk = BankDesk(here.bank, RUN, here.bank.run(RUN).study, Teller(here.home, RUN))
            controls = Controls(desk, SITES, 3)
            while not over.wait(0.02):
                controls.look(None)

    thread = threading.Thread(target=gathers)
    thread.start()
    try:
        words = ["hub", "round", "leave-out", "bee", "--patience", "30", "--home", str(tmp_path)]
        assert main(words) == 1
    finally:
        over.set()
        thread.join()
    said = capsys.readouterr().err
    assert "refused: " in said and "'bee'" in said


def test_an_order_that_nobody_took_yet_is_said_to_wait(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["hub", "round", "close", "--patience", "0", "--json", "--home", str(ws.home.path)]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["what"], found["done"]) == ("close", None)
    assert orders_of(ws, RUN)[0].order.id == found["order"]


def test_without_a_federation_there_is_nothing_to_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "round", "close", "--home", str(tmp_path)]) == 1
    assert "'fedprompt federate'" in capsys.readouterr().err
