"""The study files under examples/ are studies that can be run."""

from pathlib import Path

import pytest

from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.strategies.registry import strategy_named
from fedprompt.study.files import read_study

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"sentiment", "tickets", "order-number"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_study_and_names_only_what_there_is(path: Path) -> None:
    study = read_study(path, complete_scorers)
    strategy_named(study.rounds.strategy.name)
    # Only a choice can be tuned: a soft prompt's loss is taken over the label words.
    assert study.soft is None or study.answer.type == "choice"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_template_of_an_example_holds_the_cases_text(path: Path) -> None:
    study = read_study(path)
    fields = {name: f"<{name}>" for name in study.fields}
    for template in study.candidates():
        count = template.demonstrations.count if template.demonstrations else 0
        text = template.render(fields, [(fields, "answer")] * count).text()
        assert all(value in text for value in fields.values()), template.name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_commands_in_an_examples_comments_name_the_example(path: Path) -> None:
    commands = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#   fedprompt")]
    assert commands
    assert all(f"--study examples/{path.name}" in line for line in commands)
