"""What a tuning will take is measured on the work that it does: the same cut texts, objective and folder."""

import csv
from pathlib import Path

import pytest

from fedprompt.models.scripted import WINDOW
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.local.tuning_time import STEPS, time_tuning
from fedprompt.workspace.rounds.forecast import forecast
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = pytest.mark.whole


def with_long_texts(path: Path) -> Path:
    """Write the small site's file, every text a little longer than the fake's window."""
    data = write_cases(path, "a")
    with data.open(newline="", encoding="utf-8") as file:
        rows = [{**row, "text": row["text"] + " and" * WINDOW} for row in csv.DictReader(file)]
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return data


def test_texts_beyond_the_window_are_timed_as_they_are_tuned_and_the_cut_is_told(tmp_path: Path) -> None:
    # Without the template whose demonstrations, which are never cut, would not fit.
    study, data = tmp_path / "s.yaml", with_long_texts(tmp_path / "a.csv")
    study.write_text("".join(line for line in TEXT.splitlines(True) if "two-shot" not in line), encoding="utf-8")
    with new_workspace(tmp_path / "home") as ws:
        found = time_tuning(ws, study, data)
        assert found.timed == STEPS and not ws.bank.runs()
        told = forecast(ws, study, {"a": data, "b": data})
        assert told.basis == "measured" and not list(ws.home.path.glob("tmp*"))
        # 30 to tune on, 20 each to choose by and to look at once.
        assert tune(ws, study, data).clipped == 70
