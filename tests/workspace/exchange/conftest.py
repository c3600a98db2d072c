"""A home with a template and two soft prompts in its bank, one of them scored at two sites."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace
from tests.workspace.exchange.exported import MODEL, WORDS, score_of, soft_prompt


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def study() -> Study:
    return Study(
        study="sentiment",
        fields=("text",),
        answer=Answer(type="choice", labels=("positive", "negative")),
        templates=(TemplateSpec(name="plain", text="{text}\nSo:", words=WORDS),),
    )


@pytest.fixture
def ids(ws: Workspace, study: Study) -> dict[str, str]:
    """A template and two soft prompts in the bank; the one inside the text was scored at two sites."""
    digest = study.digest(MODEL)
    ws.bank.record_study(study, digest, MODEL)
    inside, front = soft_prompt("{text}{soft}\nSo:"), soft_prompt("{soft}{text}\nSo:")
    plain = Prompt(study.candidates()[0])
    for prompt, origin in ((plain, "study"), (inside, "federated"), (front, "federated")):
        ws.bank.record_prompt(prompt, study=digest, origin=origin)
    ws.bank.start_run("alone", kind="alone", study=digest, settings={})
    ws.bank.start_run("r", kind="demo", study=digest, settings={})
    for site, right in (("movies", 80), ("tweets", 90)):
        ws.bank.record_scores("r", site, [score_of(inside, 100, 10, "validation")])
        ws.bank.record_scores("r", site, [score_of(inside, 100, right)])
    ws.bank.record_scores("alone", "tweets", [score_of(inside, 100, 50)])
    return {"plain": plain.id, "inside": inside.id, "front": front.id}
