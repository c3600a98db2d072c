"""How a soft prompt is tuned is one value, made from the study, wherever steps are taken."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedprompt.prompts.prompt import Prompt
from fedprompt.site.personal import tuned_alone
from fedprompt.tuning.schedule import Schedule
from fedprompt.tuning.settings import TuningSettings, settings_of
from fedprompt.tuning.steps import tune_tensors
from fedprompt.workspace.demo.run import demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from tests.scripted_sites import MODEL, study, worker

START = MODEL.text_init("Overall the feeling is", 3)
TWO = {"count": 2, "strategy": {"name": "fedprox", "options": {"mu": 30}}}


def test_every_setting_of_the_study_is_in_it_and_the_schedule_goes_on_from_round_to_round() -> None:
    tuning = {"steps": 4, "batch": 6, "lr": 0.02, "schedule": "cosine", "warmup": 3, "accumulate": 2}
    asked = study(rounds=TWO, tuning=tuning)
    # round 2 of 2 begins after 4 of 8 steps
    assert settings_of(asked, 2) == TuningSettings(4, 6, 0.02, Schedule("cosine", 3, 8, 4), 2, 30.0)
    assert settings_of(asked, 2, steps=1) == replace(settings_of(asked, 2), steps=1)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_demos_figures_stay_since_what_its_pooled_tuning_dropped_was_at_its_defaults(number: int) -> None:
    # before, it took steps, batch and lr alone
    asked = demo_study(DemoSettings(task="sentiment"))
    found = settings_of(asked, number)
    assert (found.steps, found.batch, found.lr) == (8, 16, 0.01)
    assert (found.accumulate, found.proximal) == (1, 0.0)
    assert {found.schedule.factor(step) for step in range(1, found.steps + 1)} == {1.0}


def test_nobody_spells_the_settings_out_beside_it() -> None:
    root = Path(__file__).parents[2] / "fedprompt"
    made = [path.name for path in root.rglob("*.py") if re.search(r"\bTuningSettings\(", path.read_text("utf-8"))]
    assert made == ["settings.py"]


def test_a_prompt_that_a_site_tunes_for_itself_is_tuned_as_in_rounds_with_the_strategys_pull(tmp_path: Path) -> None:
    asked = study(rounds=TWO)
    objective = worker(tmp_path / "site", chosen=asked).side.objective("tune")
    soft = START
    for number in (1, 2):
        soft = tune_tensors(objective, soft, settings_of(asked, number), rng=np.random.default_rng(number)).end
    found = tuned_alone(
        objective, START, asked, np.random.default_rng, lambda prompt: float(prompt.soft == soft), tmp_path, "q"
    )
    assert found == Prompt(asked.soft_template(), soft)
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_site_that_stopped_while_it_tuned_for_itself_goes_on_from_there(tmp_path: Path) -> None:
    asked = study(rounds={"count": 2})
    objective = worker(tmp_path / "site", chosen=asked).side.objective("tune")
    scored: list[Prompt] = []

    def last(prompt: Prompt) -> float:
        scored.append(prompt)
        return float(len(scored))

    def stops(prompt: Prompt) -> float:
        raise KeyboardInterrupt

    whole = tuned_alone(objective, START, asked, np.random.default_rng, last, tmp_path, "q")
    with pytest.raises(KeyboardInterrupt):
        tuned_alone(objective, START, asked, np.random.default_rng, stops, tmp_path, "q")
    taken: list[int] = []

    class Counting:
        def __len__(self) -> int:
            return len(objective)

        def loss_and_gradient(self, *given: object) -> object:
            taken.append(1)
            return objective.loss_and_gradient(*given)  # type: ignore[arg-type]

    again = tuned_alone(Counting(), START, asked, np.random.default_rng, last, tmp_path, "q")  # type: ignore[arg-type]
    assert again == whole and len(taken) == asked.tuning.steps  # those of round 2 alone
