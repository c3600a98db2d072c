"""How templates are grouped, which is best over all cases, and that rounds come back from the bank as they went in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import BankError, FederationError
from fedprompt.federation.gathering import Missing
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Message, Template
from fedprompt.site.gate import Outgoing
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.workspace.progress import quiet
from fedprompt.workspace.rounds.federation_run import BankWriter, FederationRun, families, pooled_best
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, STUDY, study, worker

pytestmark = pytest.mark.whole

DIGEST = STUDY.digest(MODEL.info.digest)


def score(prompt: str, right: int, n: int) -> Score:
    body = {"split": "validation", "metric": "accuracy", "groups": n, "group_squares": 0.0}
    return Score.model_validate({**body, "prompt": prompt, "n": n, "total": right, "squares": right})


def test_templates_that_begin_alike_go_together_the_smallest_group_first() -> None:
    texts = ["Review: {text} a", "{text} b", "Review: {text} c", "{text} d", "Classify {text}", "Review: {text} e"]
    prompts = [Prompt(Template("t", text=text)) for text in texts]
    chats = [Prompt(Template("c", messages=(Message("user", text),))) for text in ("{text}", "x {text}")]
    one, two, three, four, five, six = (prompt.id for prompt in prompts)
    assert families([*prompts, *chats]) == [[five], [two, four], [prompt.id for prompt in chats], [one, three, six]]


def test_the_best_is_by_case_and_the_first_of_equals() -> None:
    a, b, c = ("p1:" + letter * 32 for letter in "abc")
    # Pooled: a 50 of 110, b 64 of 110, c as b. By site a is ahead: (0.4 + 1.0) / 2 against (0.6 + 0.4) / 2.
    scores = {
        "x": {a: score(a, 40, 100), b: score(b, 60, 100), c: score(c, 60, 100)},
        "y": {a: score(a, 10, 10), b: score(b, 4, 10), c: score(c, 4, 10)},
    }
    assert pooled_best(scores, [a, b, c]) == b
    assert pooled_best(scores, [c, b, a]) == c


def test_a_round_comes_back_from_the_bank_as_it_went_in(tmp_path: Path) -> None:
    with new_workspace(tmp_path) as ws:
        ws.bank.record_study(STUDY, DIGEST, MODEL.info.digest)
        ws.bank.start_run("r1:x", kind="federate", study=DIGEST, settings={})
        writer = BankWriter(ws.bank, "r1:x", DIGEST, "federated")
        prompt = Prompt(STUDY.soft_template(), start_prompt(MODEL, STUDY))
        record = RoundRecord(1, prompt, {"a": score(prompt.id, 7, 20)}, ("a",), 1234, {"a": "f" * 64})
        writer.write(record)
        writer.write(record)
        assert list(writer.written()) == [record]
        state = {"velocity": np.array([[0.1, -1e300]])}
        late = Missing("b", "tune", "late", "site 'b' was late: it answered after 9 s")
        second = replace(
            record,
            number=2,
            missing=(late,),
            sent={"a": 5},
            received={"a": 7},
            seconds={"tune": {"a": 0.25, "b": 9.0}, "evaluate": {}},
            steps={"b": 2},
            state=state,
        )
        writer.begin(2, {"round": 2, "quorum": 1})
        assert ws.bank.stages("r1:x")["round 2"] == {"round": 2, "quorum": 1}
        writer.write(second)
        found = writer.written()[1]
        assert found == second and found.state["velocity"].tobytes() == state["velocity"].tobytes()
        assert ws.bank.prompt_row(prompt.id).notes == {"round": 1, "run": "r1:x"}


def test_tuning_starts_from_the_studys_text() -> None:
    soft = start_prompt(MODEL, STUDY)
    assert soft == MODEL.text_init("Overall the feeling is", 3)


def run_without_court(path: Path, ws: Workspace, chosen: Study) -> FederationRun:
    digest = chosen.digest(MODEL.info.digest)
    ws.bank.record_study(chosen, digest, MODEL.info.digest)
    ws.bank.start_run(f"r1:{digest}", kind="federate", study=digest, settings={})

    def dead(data: bytes) -> Outgoing:
        raise FederationError("site 'court' is gone")

    handlers = {name: worker(path / digest, name, chosen=chosen).handle for name in ("bank", "clinic")}
    hub = Hub(LocalTransport({**handlers, "court": dead}), digest)
    return FederationRun(ws.bank, f"r1:{digest}", chosen, digest, hub, Clock(quiet, {}))


def test_a_site_that_is_gone_is_not_measured_and_is_named_while_the_quorum_answers(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        run = run_without_court(tmp_path, ws, study(rounds={"quorum": 2}))
        assert set(run.score_templates()) == {"bank", "clinic"}
        (template, *_) = run.templates.values()
        look = run.look_at_test([template], {site: [] for site in run.hub.sites})
        assert look.sites == ("bank", "clinic")
        assert run.missing == {"court": {"score": "site 'court' is gone", "test": "site 'court' is gone"}}
        all_needed = run_without_court(tmp_path, ws, STUDY)
        with pytest.raises(FederationError, match=r"score: 2 of 3.*3.*court", check=coded("too-few-answers")):
            all_needed.score_templates()


class SideBySide(LocalTransport):
    """Sites of one process that are asked as those on their own machines are, each in a thread."""

    concurrent = True


def test_a_run_that_goes_on_asks_no_site_again_for_what_it_has(tmp_path: Path) -> None:
    handlers = {name: worker(tmp_path, name).handle for name in ("bank", "clinic")}
    digest = STUDY.digest(MODEL.info.digest)
    with new_workspace(tmp_path / "home") as ws:
        ws.bank.record_study(STUDY, digest, MODEL.info.digest)
        ws.bank.start_run("r1:x", kind="federate", study=digest, settings={})
        found = []
        for transport in (LocalTransport(handlers), SideBySide(handlers)):
            hub = Hub(transport, digest)
            run = FederationRun(ws.bank, "r1:x", STUDY, digest, hub, Clock(quiet, {}))
            scores = run.score_templates()
            (first, second, *_) = run.templates.values()
            pair = {site: [(first.id, second.id)] for site in hub.sites}
            run.compare_on_validation([first])
            look = run.look_at_test([first, second], pair)
            found.append((scores, look.scores, hub.sent.total()))
        assert found[0][:2] == found[1][:2] and set(found[0][0]) == {"bank", "clinic"}
        assert found[0][2] > 0 and found[1][2] == 0


def test_a_bank_that_fails_beside_the_sites_is_no_sites_failure(tmp_path: Path) -> None:
    handlers = {name: worker(tmp_path, name).handle for name in ("bank", "clinic")}
    digest = STUDY.digest(MODEL.info.digest)

    def full(site: str) -> None:
        raise BankError("the disk that holds the bank is full", code="disk-full")

    with new_workspace(tmp_path / "home") as ws:
        ws.bank.record_study(STUDY, digest, MODEL.info.digest)
        for transport in (LocalTransport(handlers), SideBySide(handlers)):
            run = FederationRun(ws.bank, "r1:x", STUDY, digest, Hub(transport, digest), Clock(quiet, {}))
            with pytest.raises(BankError, check=coded("disk-full")):
                run.each("alone", full, lambda site, answer: None, lambda site: (site, 0.0))
            assert run.missing == {}
