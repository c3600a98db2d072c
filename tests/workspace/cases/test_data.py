"""A file of cases is checked against a study without showing any case."""

from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.workspace.cases.check import check_data
from fedprompt.workspace.cases.data_view import look_at
from tests.coded import coded


def write_study(folder: Path, splits: str = "{tune: 0.4, validation: 0.3, test: 0.3}", min_cases: int = 30) -> Path:
    path = folder / "mood.yaml"
    path.write_text(
        "study: mood\nmodel: scripted\nfields: [text]\n"
        "answer: {type: choice, labels: [positive, negative]}\n"
        'templates: [{name: plain, text: "{text}\\nMood:"}]\n'
        f"splits: {splits}\nprivacy: {{min_cases: {min_cases}}}\n"
    )
    return path


def write_cases(folder: Path, n: int, groups: int | None = None) -> Path:
    path = folder / "cases.csv"
    rows = [f"secret {i},{'positive' if i % 2 else 'negative'},{i % (groups or n)}" for i in range(n)]
    path.write_text("text,answer,patient\n" + "\n".join(rows) + "\n")
    return path


def test_enough_cases_are_ok(tmp_path: Path) -> None:
    # 100 inputs cut at 0.4, 0.3, 0.3.
    found = check_data(write_cases(tmp_path, 100), write_study(tmp_path))
    assert found.splits == {"tune": 40, "validation": 30, "test": 30}
    assert found.ok and found.missing == {} and found.more == 0


def test_missing_cases_are_counted_by_split(tmp_path: Path) -> None:
    # 80 inputs give 32, 24, 24; 30 in a split of 0.3 need 100 inputs, so 20 more.
    found = check_data(write_cases(tmp_path, 80), write_study(tmp_path))
    assert found.missing == {"validation": 6, "test": 6}
    assert found.more == 20
    assert not found.ok


def test_adding_what_is_said_to_be_missing_is_enough(tmp_path: Path) -> None:
    study = write_study(tmp_path, "{tune: 0.5, validation: 0.25, test: 0.25}", min_cases=17)
    more = check_data(write_cases(tmp_path, 21), study).more
    assert check_data(write_cases(tmp_path, 21 + more), study).ok


def test_min_cases_counts_groups(tmp_path: Path) -> None:
    found = check_data(write_cases(tmp_path, 200, groups=50), write_study(tmp_path), Columns(group="patient"))
    assert found.groups == 50
    assert sum(found.splits.values()) == 50
    assert not found.ok


def test_no_text_of_a_case_is_reported(tmp_path: Path) -> None:
    assert "secret" not in repr(check_data(write_cases(tmp_path, 100), write_study(tmp_path)))


def test_an_unknown_label_names_file_and_line(tmp_path: Path) -> None:
    path = write_cases(tmp_path, 100)
    path.write_text(path.read_text().replace("secret 3,positive", "secret 3,postive"))
    with pytest.raises(DataError, match=r"cases\.csv.*line 5", check=coded("unknown-label")):
        check_data(path, write_study(tmp_path))


def test_a_column_whose_name_is_as_long_as_a_case_is_called_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"the {n}th review of the day,{'positive' if n % 2 else 'negative'}" for n in range(12)]
    path.write_text("\n".join(["[" * 1200 + "text,answer", *rows]), encoding="utf-8")
    found = look_at(path, header=True)
    assert found.reading.fields == {"text": "#1"}
    assert found.refused.count == 0 and found.rows == 12
