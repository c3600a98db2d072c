"""Whatever is changed behind the bank's back is found."""

import json
from collections.abc import Callable

import pytest

from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study, study_digest
from fedprompt.study.score import Score
from tests.coded import coded

pytestmark = pytest.mark.whole

MODEL = "sha256:" + "a" * 64

Tamper = Callable[[str], None]


@pytest.fixture
def filled(bank: Bank, study: Study, digest: str, plain: Prompt, soft: Prompt) -> Bank:
    bank.record_study(study, digest, MODEL)
    bank.record_prompt(plain, study=digest, origin="study")
    bank.record_prompt(soft, study=digest, origin="federated")
    bank.start_run("r", kind="demo", study=digest, settings={})
    score = Score(
        prompt=plain.id, split="test", metric="accuracy", n=2, total=1, squares=1, groups=2, group_squares=0.5
    )
    bank.record_scores("r", "tweets", [score])
    return bank


def test_an_untouched_bank_has_no_problems(filled: Bank) -> None:
    assert filled.verify() == ()


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        ("UPDATE prompts SET body = replace(body, 'Review', 'Reviev')", "prompt p1:", "has the id p1:"),
        ("UPDATE prompts SET body = 'x'", "prompt p1:", "damaged"),
        ("UPDATE prompts SET vectors = NULL WHERE vectors IS NOT NULL", "prompt p1:", "damaged"),
        ("UPDATE prompts SET model = 'other' WHERE model IS NOT NULL", "prompt p1:", "kind or model"),
        ("DELETE FROM records", "prompt p1:", "its origin"),
        ("UPDATE studies SET body = replace(body, 'sentiment', 'sentimend')", "study s1:", "has the digest"),
        ("UPDATE studies SET body = '{}'", "study s1:", "is not a study"),
        ("UPDATE scores SET body = '{}'", "scores row 1", "is not a score"),
        ("UPDATE scores SET split = 'tune'", "scores row 1", "another prompt or split"),
        ("UPDATE runs SET settings = '{'", "runs row 1", "not JSON"),
        ("UPDATE runs SET study = 's1:none'", "runs row 1", "not in studies"),
    ],
)
def test_a_change_behind_its_back_is_found(filled: Bank, tamper: Tamper, statement: str, where: str, what: str) -> None:
    tamper(statement)
    assert any(problem.where.startswith(where) and what in problem.what for problem in filled.verify())


def test_a_changed_prompt_or_score_is_not_given_out(filled: Bank, tamper: Tamper, soft: Prompt, digest: str) -> None:
    tamper("UPDATE prompts SET body = replace(body, 'Review', 'Reviev')")
    with pytest.raises(BankError, check=coded("damaged")):
        filled.prompt(soft.id)
    tamper("UPDATE scores SET body = '{}'")
    with pytest.raises(BankError, check=coded("damaged")):
        filled.scores()
    tamper("UPDATE studies SET body = '{}'")
    with pytest.raises(BankError, check=coded("damaged")):
        filled.study(digest)


def test_a_study_that_an_earlier_version_wrote_with_fewer_defaults_is_whole(
    bank: Bank, tamper: Tamper, study: Study, digest: str
) -> None:
    bank.record_study(study, digest, MODEL)
    content = study.model_dump(mode="json")
    del content["tuning"]["accumulate"]
    earlier = study_digest(content, MODEL)
    tamper(f"UPDATE studies SET digest = '{earlier}', body = '{json.dumps(content)}'")
    assert bank.study(earlier).study == study
    assert bank.verify() == ()
