"""The bank keeps what it is given, once, and gives back the same values."""

import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sqlalchemy.exc import DBAPIError

from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Demonstrations, Message, Template
from fedprompt.study.schema import Study
from fedprompt.study.score import Comparison, Score
from tests.coded import coded

pytestmark = pytest.mark.whole

MODEL = "sha256:" + "a" * 64


def _score(prompt: str, split: str = "validation", total: float = 3) -> Score:
    return Score.model_validate(
        {
            "prompt": prompt,
            "split": split,
            "metric": "accuracy",
            "n": 4,
            "total": total,
            "squares": total,
            "groups": 4,
            "group_squares": 0.75,
            "confusion": [[2, 0], [1, 1]],
        }
    )


def test_a_prompt_comes_back_equal_by_id_and_by_a_unique_beginning(bank: Bank, soft: Prompt) -> None:
    id = bank.record_prompt(soft, study=None, origin="import")
    assert id == soft.id
    assert bank.prompt(id) == soft
    assert bank.prompt(id[3:10]) == soft
    assert bank.prompt_row(id[:10]).model == MODEL


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vectors=hnp.arrays(
        np.float32, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.floats(-9, 9, width=32)
    ),
    literal=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=20),
)
def test_any_soft_prompt_survives_the_bank(bank: Bank, vectors: np.ndarray, literal: str) -> None:
    prompt = Prompt(Template("x", text=literal + "{soft}"), SoftPrompt(vectors, MODEL))
    assert bank.prompt(bank.record_prompt(prompt, study=None, origin="import")) == prompt


def test_chat_templates_and_demonstrations_survive_the_bank(bank: Bank) -> None:
    chat = Prompt(Template("chat", messages=(Message("system", "Be brief."), Message("user", "{text}"))))
    shots = Prompt(Template("shots", text="{demonstrations}{text}:", demonstrations=Demonstrations(2, "\n")))
    for prompt in (chat, shots):
        assert bank.prompt(bank.record_prompt(prompt, study=None, origin="import")) == prompt


def test_a_prompt_recorded_twice_is_kept_once_and_the_first_coming_tells(bank: Bank, plain: Prompt) -> None:
    bank.record_prompt(plain, study=None, origin="playground", notes={"why": "tried"})
    renamed = Prompt(Template("other name", text=plain.template.text, words=plain.template.words))
    bank.record_prompt(renamed, study=None, origin="import")
    (row,) = bank.prompts()
    assert (row.name, row.origin, row.notes) == ("plain", "playground", {"why": "tried"})


def test_a_study_lists_a_prompt_that_first_came_from_elsewhere(
    bank: Bank, plain: Prompt, soft: Prompt, study: Study, digest: str
) -> None:
    bank.record_study(study, digest, MODEL)
    bank.record_prompt(plain, study=None, origin="playground")
    bank.record_prompt(soft, study=None, origin="playground")
    bank.record_prompt(plain, study=digest, origin="study")
    (row,) = bank.prompts(study=digest)
    assert (row.id, row.origin, row.study) == (plain.id, "study", digest)


def test_prompts_are_found_by_kind_words_and_page(bank: Bank, plain: Prompt, soft: Prompt) -> None:
    bank.record_prompt(plain, study=None, origin="study")
    bank.record_prompt(soft, study=None, origin="federated", parents=[plain.id])
    assert [row.id for row in bank.prompts()] == [plain.id, soft.id]
    assert [row.id for row in bank.prompts(kind="soft")] == [soft.id]
    assert [row.id for row in bank.prompts(search="FEDERATED review")] == [soft.id]
    assert [row.id for row in bank.prompts(search="100%")] == []
    assert [row.id for row in bank.prompts(limit=1, offset=1)] == [soft.id]
    assert bank.prompts(kind="soft")[0].parents == (plain.id,)


def test_a_batch_of_prompts_is_kept_whole_or_not_at_all(bank: Bank, plain: Prompt, soft: Prompt) -> None:
    with pytest.raises(BankError, check=coded("no-such-study")):
        bank.record_prompts([(plain, {}), (soft, {})], study="s1:" + "0" * 32, origin="import")
    assert bank.prompts() == ()
    assert bank.record_prompts([(plain, {}), (soft, {})], study=None, origin="import") == (plain.id, soft.id)


def test_unknown_short_and_ambiguous_ids_are_refused(bank: Bank) -> None:
    with pytest.raises(BankError, check=coded("no-such-prompt")):
        bank.prompt("p1:0123")
    for wrong in ("p1:", "0", "%", "p2:0123", "nonsense"):
        with pytest.raises(BankError, check=coded("not-a-prompts-id")):
            bank.prompt(wrong)
    seen: dict[str, str] = {}
    for number in range(2000):  # 65,536 beginnings of four digits: two of 2,000 share one, but for e**-30
        prompt = Prompt(Template("t", text=f"{number}"))
        beginning = prompt.id[:7]
        if beginning in seen:
            break
        seen[beginning] = f"{number}"
    other = Prompt(Template("t", text=seen[beginning]))
    bank.record_prompts([(prompt, {}), (other, {})], study=None, origin="import")
    with pytest.raises(BankError, check=coded("several-prompts")):
        bank.prompt(beginning)


def test_a_study_comes_back_equal_and_must_have_its_own_digest(bank: Bank, study: Study, digest: str) -> None:
    bank.record_study(study, digest, MODEL)
    bank.record_study(study, digest, MODEL)
    assert bank.study(digest).study == study
    assert len(bank.studies()) == 1
    with pytest.raises(BankError, check=coded("another-content")):
        bank.record_study(study, "s1:" + "0" * 32, MODEL)
    with pytest.raises(BankError, check=coded("no-such-study")):
        bank.study("s1:" + "0" * 32)


def test_scores_are_kept_once_a_round_and_the_first_wins(bank: Bank, study: Study, digest: str, plain: Prompt) -> None:
    bank.record_study(study, digest, MODEL)
    bank.start_run("r", kind="demo", study=digest, settings={"seed": 0})
    for total in (3, 4):
        bank.record_scores("r", "tweets", [_score(plain.id, total=total)] if total == 3 else [])
    bank.record_scores("r", "tweets", [_score(plain.id)])
    bank.record_scores("r", "tweets", [_score(plain.id)], round=1)
    bank.record_scores("r", "tweets", [_score(plain.id)], round=1)
    bank.record_scores("r", "tweets", [_score("h1:" + "0" * 32, "test")])
    rows = bank.scores(run="r")
    assert [(row.round, row.score.split) for row in rows] == [
        (None, "validation"),
        (1, "validation"),
        (None, "test"),
    ]
    assert rows[0].score == _score(plain.id)
    assert rows[0].study == digest
    assert len(bank.scores(prompts=[plain.id])) == 2
    assert bank.scores(prompts=[]) == ()
    assert len(bank.scores(study=digest, split="test")) == 1
    assert bank.scores(study="s1:" + "0" * 32) == ()


def test_more_prompts_may_be_asked_for_than_sqlite_takes_variables(bank: Bank) -> None:
    assert bank.scores(prompts=[f"p1:{number:032x}" for number in range(40_000)]) == ()


def test_comparisons_come_back_and_are_kept_once(bank: Bank, study: Study, digest: str) -> None:
    bank.record_study(study, digest, MODEL)
    bank.start_run("r", kind="demo", study=digest, settings={})
    one, two = "p1:" + "1" * 32, "p1:" + "2" * 32
    comparison = Comparison.model_validate(
        {
            "first": one,
            "second": two,
            "split": "test",
            "n": 4,
            "total": 1,
            "squares": 3,
            "better": 2,
            "worse": 1,
            "groups": 4,
            "group_squares": 2.75,
        }
    )
    for _ in range(2):
        bank.record_comparisons("r", "tweets", [comparison])
    (row,) = bank.comparisons(study=digest, prompts=[one, two])
    assert row.comparison == comparison
    assert bank.comparisons(prompts=[one]) == ()


def test_a_run_goes_on_from_what_was_written_first(bank: Bank, study: Study, digest: str) -> None:
    bank.record_study(study, digest, MODEL)
    begun = bank.start_run("r", kind="demo", study=digest, settings={"seed": 0})
    assert bank.start_run("r", kind="demo", study=digest, settings={"seed": 9}) == begun
    bank.record_stage("r", "templates", {"best": "a"})
    bank.record_stage("r", "templates", {"best": "b"})
    assert bank.stages("r") == {"templates": {"best": "a"}}
    for number, mean in ((2, 0.9), (1, 0.8), (1, 0.1)):
        bank.record_round("r", number, prompt="p1:" + "0" * 32, body={"mean": mean})
    assert [(row.number, row.body["mean"]) for row in bank.rounds("r")] == [(1, 0.8), (2, 0.9)]
    assert (bank.run("r").state, bank.run("r").result) == ("running", None)
    bank.finish_run("r", {"best": 1})
    bank.finish_run("r", {"best": 2})
    assert (bank.run("r").state, bank.run("r").result) == ("done", {"best": 1})
    bank.start_run("s", kind="score", study=digest, settings={})
    assert [row.id for row in bank.runs()] == ["s", "r"]
    assert [row.id for row in bank.runs(kind="demo")] == ["r"]


def test_a_run_that_is_not_there_or_is_another_is_refused(bank: Bank, study: Study, digest: str) -> None:
    with pytest.raises(BankError, check=coded("no-such-study")):
        bank.start_run("r", kind="demo", study=digest, settings={})
    bank.record_study(study, digest, MODEL)
    bank.start_run("r", kind="demo", study=digest, settings={})
    with pytest.raises(BankError, check=coded("run-taken")):
        bank.start_run("r", kind="score", study=digest, settings={})
    with pytest.raises(BankError, match="'x'", check=coded("no-such-run")):
        bank.run("x")
    for call in (
        lambda: bank.record_stage("x", "s", {}),
        lambda: bank.record_round("x", 1, prompt="p1:" + "0" * 32, body={}),
        lambda: bank.finish_run("x", {}),
        lambda: bank.record_scores("x", "site", []),
        lambda: bank.record_comparisons("x", "site", []),
    ):
        with pytest.raises(BankError, check=coded("no-such-run")):
            call()


def test_what_is_not_plain_json_is_refused(bank: Bank, plain: Prompt) -> None:
    with pytest.raises(BankError, check=coded("not-json")):
        bank.record_prompt(plain, study=None, origin="study", notes={"x": float("nan")})
    with pytest.raises(BankError, check=coded("not-json")):
        bank.add_job("j", "demo", {"x": object()})
    assert (bank.prompts(), bank.jobs()) == ((), ())


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    loose = tmp_path / "loose.db"
    loose.touch(mode=0o644)
    Bank.open(loose).close()
    assert stat.S_IMODE(loose.stat().st_mode) == 0o600


def test_the_tables_refuse_changes_to_what_was_written(bank: Bank, plain: Prompt) -> None:
    bank.record_prompt(plain, study=None, origin="study")
    engine = bank._database.place.engine()
    for statement in ("UPDATE prompts SET body = ''", "DELETE FROM records"):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_stamp_without_jobs_changes_with_prompts_alone(bank: Bank, plain: Prompt) -> None:
    before = bank.stamp(of_jobs=False)
    bank.add_job("j", "demo", {})
    bank.claim_job("j", 7)
    assert bank.stamp(of_jobs=False) == before
    bank.record_prompt(plain, study=None, origin="study")
    assert bank.stamp(of_jobs=False) != before


def test_the_stamp_changes_with_every_write_and_with_nothing_else(bank: Bank, plain: Prompt, soft: Prompt) -> None:
    seen = [bank.stamp()]
    for write in (
        lambda: bank.record_prompt(plain, study=None, origin="study"),
        lambda: bank.record_prompt(soft, study=None, origin="import"),
        lambda: bank.add_job("j", "demo", {}),
        lambda: bank.claim_job("j", 7),
        lambda: bank.register_site("a", "k1:" + "0" * 32),
    ):
        write()
        seen.append(bank.stamp())
        bank.prompts()
        assert bank.stamp() == seen[-1]
    assert len(set(seen)) == len(seen)


def test_studies_with_scores_come_in_the_order_they_were_worked_on_the_last_first(bank: Bank, study: Study) -> None:
    made = {name: study.model_copy(update={"study": name}) for name in ("one", "two", "never scored")}
    digests = {name: one.digest(MODEL) for name, one in made.items()}
    for name, one in made.items():
        bank.record_study(one, digests[name], MODEL)
        bank.start_run(name, kind="score", study=digests[name], settings={})
    for run in ("one", "two"):
        bank.record_scores(run, "clinic", [_score("p1:" + "0" * 32)])
    assert [row.name for row in bank.scored_studies()] == ["two", "one"]
    assert bank.scored_studies("test") == ()
    bank.finish_run("one", {})
    assert [row.name for row in bank.scored_studies()] == ["one", "two"]
    bank.record_round("two", 1, prompt="p1:" + "0" * 32, body={})
    assert [row.name for row in bank.scored_studies()] == ["two", "one"]
