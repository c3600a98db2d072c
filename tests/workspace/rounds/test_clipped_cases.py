"""The largest count of each split stands, added up by site, and a run that goes on knows it."""

from pathlib import Path

from fedprompt.workspace.rounds.in_bank import ClippedCases
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY


def test_counts_of_a_split_do_not_add_up_and_splits_do(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        digest = STUDY.digest("sha256:0")
        ws.bank.record_study(STUDY, digest, "sha256:0")
        ws.bank.start_run("r1:0", kind="federate", study=digest, settings={})
        clipped = ClippedCases(ws.bank, "r1:0")
        for split, cases in (("validation", 3), ("validation", 5), ("validation", 4), ("test", 2), ("tune", 0)):
            clipped.note("clinic", split, cases)  # type: ignore[arg-type]
        assert (clipped.of("clinic"), clipped.of("bank")) == (7, 0)
        assert ClippedCases(ws.bank, "r1:0").of("clinic") == 7
