"""All benchmarks run in one go: a failure stops nobody and is named at the end, a missing peer is no failure."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.every import names, run_all
from benchmarks.report import SKIPPED, Row, need, show

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_every_file_that_prints_a_report_is_run_and_no_other() -> None:
    found = names()
    assert {"bound", "spill", "scoring_vs_lm_eval", "tuning_vs_peft", "demo", "bank_scale"} <= set(found)
    assert not {"report", "every", "steady_tuning", "visitor", "loopback"} & set(found)


def test_a_failure_stops_nobody_and_is_named_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    def python(name: str, code: str) -> tuple[str, list[str]]:
        return name, [sys.executable, "-c", code]

    bad, gone = python("bad", "raise SystemExit(2)"), python("gone", f"raise SystemExit({SKIPPED})")
    good = python("good", "print('{}')")
    assert run_all([bad, gone, good]) == 1
    out, err = capfd.readouterr()
    assert out == "{}\n" and "failed: bad\n" in err and "skipped: gone\n" in err
    assert run_all([gone, good]) == 0


def test_a_peer_that_is_not_installed_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        need("no_such_peer", "pip install no-such-peer")
    assert ended.value.code == SKIPPED
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "no_such_peer is not installed" in err and "pip install no-such-peer" in err
    need("json", "")  # what is there is no matter


@pytest.mark.whole
@pytest.mark.parametrize("name", names())
def test_a_benchmark_needs_no_option_and_takes_json(name: str) -> None:
    assert "required=True" not in (FOLDER / f"{name}.py").read_text("utf-8")
    said = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--help"], capture_output=True, text=True, cwd=FOLDER.parent
    )
    assert said.returncode == 0 and "--json" in said.stdout, said.stderr


def test_a_figure_beside_another_without_a_ratio_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show({"rows": [asdict(Row("preparing", "s", 1.5, 2.0)), asdict(Row("step", "s", 1.0, 2.0, 2.0))]}, as_json=False)
    assert capsys.readouterr().out == "preparing: 1.5 s  peer 2\nstep: 1 s  peer 2  ratio 2.00\n"
