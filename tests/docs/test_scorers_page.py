"""The page about scorers names every scorer and every option, and its example is a study that can be read."""

import re
from pathlib import Path

import yaml

from fedprompt.evaluation.scorers import configure, scorer_names
from fedprompt.evaluation.scorers.registry import option_names
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.study.schema import Answer

PAGE = (Path(__file__).parents[2] / "docs" / "scorers.md").read_text(encoding="utf-8")
ROWS = {row[0]: row[1] for row in re.findall(r"^\| `([\w-]+)`(?: \*)? \|(.*)$", PAGE, flags=re.M)}


def test_every_scorer_and_every_option_is_named() -> None:
    for name in scorer_names():
        assert name in ROWS or name.startswith("exact-"), name
        for option in option_names(name):
            row = ROWS["exact" if name.startswith("exact-") else name]
            assert f"`{option}`" in row, f"{name}: {option}"


def test_the_example_is_an_answer_whose_scorers_there_are() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S)
    answer = Answer.model_validate(yaml.safe_load(example)["answer"])

    class Nothing:
        width = 1

        def encode(self, texts: object) -> None:
            """Give nothing."""

    found = configure(answer.scorers, Resources(encoder=Nothing))  # type: ignore[arg-type]
    assert [each.label for each in found] == ["contains", "numeric", "regex", "similarity"]
