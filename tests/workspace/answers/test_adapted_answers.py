"""An adapted prompt is used as any other: from code, the playground, Compare, over HTTP and through LangChain."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fedprompt.errors import JobError, PromptError
from fedprompt.prompts.adapted import Adapted
from fedprompt.workspace.answers.adapted_answers import adapted_answer, local_adapted, runnable
from fedprompt.workspace.answers.answering import answer_case
from fedprompt.workspace.answers.variants import bank_variant
from fedprompt.workspace.ranking.comparing import compare, compare_scores
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import LABELS, MODEL
from tests.small_pack import MEMBERS
from tests.workspace.answered import answered

NAME, TEXT = "small@home", "an evening that was lovely"
ABOUT = {"model": "scripted"}


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        adapted = Adapted(MEMBERS, (0.4, 0.1, 0.1, 0.2, 0.2), LABELS, (0.7, -0.7))
        opened.bank.record_adapted(adapted, name=NAME, study=None, about=ABOUT)
        yield opened


def test_a_prompt_with_a_bias_shifts_the_log_odds_by_it(ws: Workspace) -> None:
    single = Adapted(MEMBERS[3:4], (1.0,), LABELS, (1.0, -1.0))
    ws.bank.record_adapted(single, name="small@one", study=None, about=ABOUT)
    before = answer_case(MODEL, MEMBERS[3], {"text": TEXT}, adapted_answer(LABELS)).probabilities
    after = local_adapted(ws, "small@one").run({"text": TEXT}).probabilities
    assert before is not None and after is not None
    odds = [one["positive"] / one["negative"] for one in (before, after)]
    # e^(1 - -1): what two numbers of 1 and -1 multiply the odds with.
    assert odds[1] / odds[0] == pytest.approx(7.38905609893065)


def test_a_case_without_a_field_is_refused_and_another_field_does_not_matter(ws: Workspace) -> None:
    prompt = runnable(ws, NAME)
    with pytest.raises(PromptError, check=coded("field-missing")):
        prompt.run({"note": TEXT})
    assert prompt.run({"text": TEXT, "note": "x"}) == prompt.run({"text": TEXT})


def test_the_playground_and_python_give_one_answer(ws: Workspace) -> None:
    wanted = runnable(ws, NAME).run({"text": TEXT})
    for reference in (NAME, ws.bank.adapted_row(NAME).id):
        (cell,) = answered(ws, bank_variant(ws, reference, "mine").model_dump(mode="json"), [{"text": TEXT}])
        assert (cell.answer, cell.probabilities, cell.error) == (wanted.text, pytest.approx(wanted.probabilities), None)
        assert TEXT in cell.text


def test_a_chat_model_cannot_stand_for_the_model_it_was_weighed_on(ws: Workspace) -> None:
    from contextlib import ExitStack

    from fedprompt.workspace.answers.readying import ready

    for change, code in (({"model": "openai:gpt-x"}, "words-only"), ({"labels": ("yes", "no")}, "wrong-labels")):
        variant = bank_variant(ws, NAME, "mine").model_copy(update={**change, "template": {**_bare(ws)}})
        with pytest.raises(JobError, check=coded(code)), ExitStack() as stack:
            ready(ws, variant, stack)


def _bare(ws: Workspace) -> dict[str, object]:
    return {**MEMBERS[3].template.canonical(), "words": None}


def test_compare_shows_it_beside_others_and_says_why_no_score_is_known(ws: Workspace) -> None:
    view = compare(ws, [NAME, MEMBERS[3].id])
    assert [one.kind for one in view.prompts] == ["adapted", "template"]
    assert view.prompts[0].parents == tuple(one.id for one in MEMBERS) and "4 other prompts" in view.prompts[0].text
    assert "no site has scored" in view.pairs[0].sentence
    assert compare_scores(ws, NAME, MEMBERS[3].id).pairs[0].told.whole.n == 0


@pytest.mark.whole
def test_a_server_answers_with_it(ws: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    from fedprompt.workspace.serve.serving import serving, token_of

    wanted, token = runnable(ws, NAME).run({"text": TEXT}), token_of(tmp_path / "home")
    with serving(NAME, token, tmp_path / "home", port=0) as served:
        body = {"model": NAME, "messages": [{"role": "user", "content": TEXT}]}
        headers = {"Authorization": f"Bearer {token.text}"}
        reply = httpx.post(f"{served.url}/chat/completions", json=body, headers=headers, trust_env=False).json()
    assert reply["choices"][0]["message"]["content"] == wanted.text
    assert reply["fedprompt"]["probabilities"] == pytest.approx(wanted.probabilities)
    assert reply["fedprompt"]["prompt"] == ws.bank.adapted_row(NAME).id


@pytest.mark.whole
def test_langchain_runs_it(ws: Workspace, tmp_path: Path) -> None:
    from fedprompt.langchain import LocalChatModel, PromptRunnable

    wanted = runnable(ws, NAME).run({"text": TEXT})
    assert PromptRunnable.from_bank(NAME, tmp_path / "home").invoke({"text": TEXT}) == wanted.text
    assert LocalChatModel.from_bank(NAME, tmp_path / "home").invoke(TEXT).content == wanted.text
