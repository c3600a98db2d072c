"""Where a prompt comes from: the rounds that made it, the sites whose changes went in, what is left out and counted."""

from collections.abc import Iterator

import pytest

from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.shelf.provenance import MOST_CHILDREN, MOST_STEPS, provenance
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.coded import coded
from tests.demo_bank import SITES, fill


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with open_workspace(tmp_path_factory.mktemp("provenance")) as opened:
        fill(opened, finished=False)
        yield opened


def put(ws: Workspace, text: str, *parents: str) -> str:
    prompt = Prompt(Template(text[:20], text=f"{text} {{text}}"))
    ws.bank.record_prompt(prompt, study=None, origin="playground", parents=parents)
    return prompt.id


def test_the_steps_are_the_rounds_back_to_the_first_with_their_sites_and_what_came(ws: Workspace) -> None:
    second, first = (row for row in ws.bank.prompts(kind="soft", newest=True))
    found = provenance(ws, second.id)
    assert [(step.prompt.id, step.parents, step.round) for step in found.steps] == [
        (second.id, (first.id,), 2),
        (first.id, (), 1),
    ]
    assert all(step.sites == SITES and step.missing == () and step.bytes == 4 * 18_000 for step in found.steps)
    assert set(found.steps[0].heads or {}) == set(SITES)
    assert found.study == "sentiment demo" and found.children == () and (found.further, found.more) == (0, 0)


def test_what_was_made_from_a_prompt_stands_after_it(ws: Workspace) -> None:
    first = ws.bank.prompts(kind="soft")[0]
    assert [row.id for row in provenance(ws, first.id).children] == [ws.bank.prompts(kind="soft")[1].id]


def test_a_site_that_did_not_answer_is_told_apart_from_those_that_did(ws: Workspace) -> None:
    study = ws.bank.runs()[0].study
    ws.bank.start_run("r-missing", kind="federate", study=study, settings={})
    prompt = put(ws, "made without tweets")
    body = {
        "loss": {"movies": 0.5, "products": 0.4},
        "bytes": 1200,
        "heads": {"movies": "ab" * 32},
        "missing": [{"site": "tweets", "step": "tune", "why": "late", "reason": ""}],
    }
    ws.bank.record_round("r-missing", 1, prompt=prompt, body=body)
    row = ws.bank.prompt_row(prompt)
    assert row.notes == {} and provenance(ws, prompt).steps[0].sites == (), "a prompt of no run is of no round"
    tuned = Prompt(Template("late", text="late {text}"))
    ws.bank.record_prompt(tuned, study=study, origin="federated", notes={"round": 2, "run": "r-missing"})
    ws.bank.record_round("r-missing", 2, prompt=tuned.id, body=body)
    (step,) = provenance(ws, tuned.id).steps
    assert (step.sites, step.missing, step.bytes) == (("movies", "products"), ("tweets",), 1200)


def test_a_long_line_is_cut_and_what_is_left_out_is_counted(ws: Workspace) -> None:
    line = [put(ws, "line 0")]
    for number in range(1, MOST_STEPS + 6):
        line.append(put(ws, f"line {number}", line[-1]))
    found = provenance(ws, line[-1])
    assert len(found.steps) == MOST_STEPS and found.further == 6
    assert found.steps[-1].parents == (), "a step that is not shown is nobody's parent in what is shown"
    for number in range(MOST_CHILDREN + 2):
        put(ws, f"branch {number}", line[-1])
    again = provenance(ws, line[-1])
    assert len(again.children) == MOST_CHILDREN and again.more == 2


def test_of_a_prompt_that_is_not_there_nothing_is_said(ws: Workspace) -> None:
    with pytest.raises(BankError, match="p1:none", check=coded("not-a-prompts-id")):
        provenance(ws, "p1:none")
