"""A job goes from queued to running to one end, whoever asks, and however often."""

import pytest

from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from tests.coded import coded


def test_a_job_runs_and_is_done(bank: Bank) -> None:
    bank.add_job("j", "demo", {"seed": 0})
    assert (bank.job("j").state, bank.job("j").progress) == ("queued", None)
    assert bank.claim_job("j", 7)
    assert not bank.claim_job("j", 8)
    bank.update_job("j", {"done": 1})
    assert (bank.job("j").pid, bank.job("j").progress) == (7, {"done": 1})
    bank.end_job("j", "done", {"answer": 42}, None)
    row = bank.job("j")
    assert (row.state, row.result, row.pid, row.arguments) == ("done", {"answer": 42}, None, {"seed": 0})
    assert row.updated >= row.created


def test_an_ended_job_stays_as_it_is(bank: Bank) -> None:
    bank.add_job("j", "demo", {})
    bank.claim_job("j", 7)
    bank.end_job("j", "failed", None, "it broke")
    bank.end_job("j", "done", {}, None)
    bank.update_job("j", {"done": 1})
    bank.cancel_job("j")
    bank.requeue_job("j", {})
    row = bank.job("j")
    assert (row.state, row.error, row.progress) == ("failed", "it broke", None)
    assert not bank.claim_job("j", 8)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(bank: Bank) -> None:
    bank.add_job("queued", "demo", {})
    bank.cancel_job("queued")
    assert bank.job("queued").state == "cancelled"
    assert not bank.claim_job("queued", 7)
    bank.add_job("running", "demo", {})
    bank.claim_job("running", 7)
    assert not bank.is_cancelled("running")
    bank.cancel_job("running")
    assert bank.is_cancelled("running")
    assert bank.job("running").state == "running"


def test_a_requeued_job_waits_again_unless_it_was_asked_to_end(bank: Bank) -> None:
    for job in ("a", "b"):
        bank.add_job(job, "demo", {})
        bank.claim_job(job, 7)
    bank.cancel_job("b")
    for job in ("a", "b"):
        bank.requeue_job(job, {"attempt": 2})
    assert (bank.job("a").state, bank.job("a").pid, bank.job("a").progress) == (
        "queued",
        None,
        {"attempt": 2},
    )
    assert bank.job("b").state == "cancelled"


def test_jobs_are_listed_newest_first_and_bounded(bank: Bank) -> None:
    for number in range(5):
        bank.add_job(f"j{number}", "demo", {})
    assert [row.id for row in bank.jobs(limit=2)] == ["j4", "j3"]


def test_unknown_jobs_doubles_and_false_ends_are_refused(bank: Bank) -> None:
    bank.add_job("j", "demo", {})
    with pytest.raises(BankError, check=coded("there-already")):
        bank.add_job("j", "demo", {})
    with pytest.raises(BankError, match="'running'", check=coded("not-an-end")):
        bank.end_job("j", "running", None, None)
    for call in (
        lambda: bank.job("x"),
        lambda: bank.claim_job("x", 1),
        lambda: bank.update_job("x", {}),
        lambda: bank.requeue_job("x", {}),
        lambda: bank.end_job("x", "done", None, None),
        lambda: bank.cancel_job("x"),
        lambda: bank.is_cancelled("x"),
    ):
        with pytest.raises(BankError, match="'x'", check=coded("no-such-job")):
            call()
