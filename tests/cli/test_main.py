"""The command line starts fast, fails in one sentence, and keeps its exit codes."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from tests.scripted_sites import cases

STUDY = """
study: mood
model: scripted
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: plain, text: "{text}\\nSentiment:"}
privacy: {min_cases: 3}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "mood.yaml"
    path.write_text(STUDY)
    return path


def write_cases(path: Path, n: int) -> Path:
    rows = [f'"case number {i}",{"positive" if i % 2 else "negative"}' for i in range(n)]
    path.write_text("text,answer\n" + "\n".join(rows) + "\n")
    return path


def test_help_starts_without_heavy_libraries() -> None:
    heavy = ("torch", "transformers", "sqlalchemy", "streamlit", "pandas", "pyarrow", "langchain_core")
    code = (
        "import sys\nfrom fedprompt.cli.main import main\nmain(['--help'])\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "federate" in done.stdout


def test_every_promised_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    promised = {
        (): "assets demo ui study data score tune federate compare bank export import doctor",
        ("assets",): "pull list",
        ("study",): "new check show",
        ("data",): "check",
        ("bank",): "list show verify",
    }
    for group, names in promised.items():
        assert main([*group, "--help"]) == 0
        commands = [text.split()[0] for text in capsys.readouterr().out.partition("Commands:")[2].splitlines() if text]
        assert set(names.split()) <= set(commands)


def test_wrong_use_is_exit_code_2() -> None:
    assert main(["frobnicate"]) == 2
    assert main(["score"]) == 2
    assert main(["data", "check", "x.csv", "--study", "s.yaml", "--map", "text"]) == 2
    assert main(["compare", "a", "b", "--split", "training"]) == 2


def test_an_error_is_one_sentence_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "check", "nowhere.yaml"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("fedprompt: nowhere.yaml ")
    assert err.count("\n") == 1 and "Traceback" not in err


def test_with_json_an_error_is_an_object_with_its_code_and_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "check", "nowhere.yaml", "--json"]) == 1
    seen = capsys.readouterr()
    told = json.loads(seen.out)
    assert told.keys() == {"code", "error"} and told["code"] == "cannot-read"
    assert seen.err == f"fedprompt: {told['error']}\n"
    assert main(["score", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["code"] == "wrong-use" and "--study" in told["error"]


def test_study_check_names_labels_that_begin_one_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(STUDY.replace("[positive, negative]", "[time off, sick leave, time off status]"))
    assert main(["study", "check", str(path)]) == 0
    assert "'time off status'" in capsys.readouterr().out
    assert main(["study", "check", str(path), "--json"]) == 0
    pair = {"template": "plain", "shorter": "time off", "longer": "time off status"}
    assert json.loads(capsys.readouterr().out)["label_pairs"] == [pair]


def test_study_check_fetches_no_model_for_its_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("smollm2-135m-instruct", "some/model", str(tmp_path / "away")):
        path = tmp_path / "s.yaml"
        path.write_text(STUDY.replace("model: scripted", f"model: {model}"))
        assert main(["study", "check", str(path), "--home", str(tmp_path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["label_pairs"] is None


def test_study_check_names_file_line_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(STUDY.replace("{text}", "{note}"))
    assert main(["study", "check", str(path)]) == 1
    assert "names the field 'note'" in capsys.readouterr().err


def test_study_show_fills_in_the_defaults(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "show", str(study), "--json"]) == 0
    tuning = json.loads(capsys.readouterr().out)["tuning"]
    assert tuning | {"steps": 8, "batch": 16, "lr": 0.01, "schedule": "constant", "objective": "labels"} == tuning
    assert main(["study", "show", str(study)]) == 0
    assert "steps: 8" in capsys.readouterr().out


def test_study_new_drafts_a_study_that_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = write_cases(tmp_path / "mine.csv", 40), tmp_path / "mine.yaml"
    assert main(["study", "new", "--data", str(data), "--out", str(out)]) == 0
    assert main(["study", "check", str(out)]) == 0
    before = out.read_text()
    assert main(["study", "new", "--data", str(data), "--out", str(out)]) == 1
    assert str(out) in capsys.readouterr().err
    assert out.read_text() == before


@pytest.mark.parametrize(("header", "flag"), [("review,mood\n", []), ("", ["--no-header"])])
def test_the_command_that_study_new_prints_reads_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, flag: list[str]
) -> None:
    data, out = tmp_path / "my file.csv", tmp_path / "a study.yaml"
    rows = (f"{case.fields['text']},{case.answer}\n" for case in cases("clinic", 120))
    data.write_text(header + "".join(rows), encoding="utf-8")
    assert main(["study", "new", "--data", str(data), "--out", str(out), *flag]) == 0
    command = shlex.split(capsys.readouterr().out.partition("then run: ")[2])
    assert command[0] == "fedprompt" and main(command[1:]) == 0


def test_data_check_prints_the_report_and_fails_below_min_cases(
    tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Fractions 0.4, 0.3, 0.3 of 5 inputs give at most 2 in a split; min_cases is 3.
    data = write_cases(tmp_path / "few.csv", 5)
    assert main(["data", "check", str(data), "--study", str(study), "--json"]) == 1
    seen = capsys.readouterr()
    told = json.loads(seen.out)
    assert (told["ok"], told["code"]) == (False, "too-few-cases")
    assert seen.err == f"fedprompt: {told['error']}\n"
    data = write_cases(tmp_path / "enough.csv", 20)
    assert main(["data", "check", str(data), "--study", str(study)]) == 0
    assert "20 cases" in capsys.readouterr().out


def test_data_check_reads_mapped_columns(tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_cases(tmp_path / "other.csv", 20)
    data.write_text(data.read_text().replace("text,answer", "note,label"))
    ask = ["data", "check", str(data), "--study", str(study), "--json"]
    assert main(ask) == 1
    capsys.readouterr()
    assert main([*ask, "--map", "text=note,answer=label"]) == 0
    assert json.loads(capsys.readouterr().out)["by_answer"] == {"positive": 10, "negative": 10}


def test_bank_commands_on_an_empty_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert main(["bank", "list", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out) == {"prompts": []}
    assert main(["bank", "verify", *home]) == 0
    assert main(["bank", "show", "p1:00", *home]) == 1


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["bank", "list", "--home", str(tmp_path / "file")]) == 1
    assert "cannot be created" in capsys.readouterr().err
