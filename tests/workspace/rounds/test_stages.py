"""Template, soft prompt and adapter on the same cases: what each reached and took, and what a step bought."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fedprompt.cli.main import app
from fedprompt.errors import StudyError
from fedprompt.stopping import Stopped, StopToken
from fedprompt.study.files import read_study
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.stages import foretell, run_stages
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = pytest.mark.whole

LORA = {"lora": {"rank": 2, "targets": ["mix"], "lr": 0.05}}


def written(path: Path, **more: object) -> tuple[Path, dict[str, Path]]:
    file = path / "s.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(TEXT), "tunable": LORA, **more}))
    return file, {name: write_cases(path / f"{name}.csv", name) for name in ("bank", "clinic")}


def test_each_stage_is_a_run_that_is_kept_and_a_stopped_one_goes_on(tmp_path: Path) -> None:
    file, files = written(tmp_path)
    with new_workspace(tmp_path / "home") as ws:
        told: list[Progress] = []
        stop = StopToken(lambda: "cancelled" if any(one.stage == "lora" for one in told) else None, every=0)
        with pytest.raises(Stopped):
            run_stages(ws, file, files, report=told.append, stop=stop)
        found = run_stages(ws, file, files)
        assert [one.stage for one in found.stages] == ["template", "soft", "lora"]
        template, soft, lora = found.stages
        # By hand: 3 vectors of width 16; factors [2, 16] and [16, 2].
        assert [one.parameters for one in found.stages] == [0, 48, 64]
        assert template.bytes == 0 < soft.bytes < lora.bytes and soft.seconds > 0 < lora.seconds
        assert [one.privacy for one in found.stages] == ["none"] * 3
        assert [ws.bank.prompt(one.prompt).kind for one in found.stages] == ["template", "soft", "adapter"]
        assert set(soft.by_site) == {"bank", "clinic"} and soft.low <= soft.mean <= soft.high
        assert [(one.of, one.over) for one in found.steps] == [("soft", "template"), ("lora", "soft")]
        assert found.steps[1].gain == pytest.approx(lora.mean - soft.mean)
        assert all(step.low <= step.gain <= step.high for step in found.steps)
        assert "times the bytes" in found.steps[1].sentence
        assert run_stages(ws, file, files) == found
        assert [one.stage for one in run_stages(ws, file, files, only=("template",)).stages] == ["template"]
        expected = {one.stage: one.bytes for one in foretell(ws, file, files)}
        assert 0 < expected["soft"] < expected["lora"]


def test_memory_is_told_of_a_run_that_was_measured_and_of_no_other(tmp_path: Path) -> None:
    file, files = written(tmp_path)
    with new_workspace(tmp_path / "home") as ws:
        foretell(ws, file, files)  # writes the study of each stage
        federate(ws, ws.home.path / "stages" / f"{read_study(file).study}-lora.yaml", files)
        first = run_stages(ws, file, files, only=("soft", "lora"))
        assert [one.memory is None for one in first.stages] == [False, True]
        assert run_stages(ws, file, files, only=("soft", "lora")) == first


def test_a_study_without_a_soft_prompt_has_no_such_stage(tmp_path: Path) -> None:
    file, files = written(tmp_path)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "soft": None}))
    with new_workspace(tmp_path / "home") as ws, pytest.raises(StudyError, check=coded("no-soft-part")):
        run_stages(ws, file, files)


def test_the_command_prints_the_stages_as_json(tmp_path: Path) -> None:
    file, files = written(tmp_path)
    options = [f"--site={name}={path}" for name, path in files.items()]
    asked = [
        "stages",
        "--study",
        str(file),
        *options,
        "--only",
        "template,lora",
        "--home",
        str(tmp_path / "home"),
        "--json",
    ]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0 and '"stage": "lora"' in found.stdout
    for none in ("full", "", " , "):
        assert CliRunner().invoke(app, [*asked, "--only", none]).exit_code == 2
