"""A site answers each step of a secure sum once, after the one before, and holds no secret when the sum is known."""

import json
from pathlib import Path

import numpy as np

from fedprompt.privacy.secure_sums.keys import Member, Secrets
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.trust.signing import Signer, fingerprint, site_identity
from fedprompt.verbs.forms import Arrays, Parcel, Reply, Task
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.sums.confirm import SumConfirmTask
from fedprompt.verbs.sums.keys import SumKeysReply, SumKeysTask
from fedprompt.verbs.sums.shares import SumSharesTask
from fedprompt.verbs.sums.unmask import SumUnmaskTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from tests import scripted_sites
from tests.scripted_sites import MODEL

OTHERS = [Signer(bytes([place] * 32)) for place in (1, 2, 3)]


def asked_study() -> Study:
    sites = {"clinic": site_identity(b"clinic".ljust(32, b"."))}
    sites |= {f"site-{place}": fingerprint(one.key) for place, one in enumerate(OTHERS)}
    return scripted_sites.study(rounds={"secure_sums": {"sites": sites}})


STUDY = asked_study()
DIGEST = STUDY.digest(MODEL.info.digest)


def told(worker: Worker, task: Task, arrays: Arrays | None = None) -> Parcel[Reply]:
    return unpack_reply(worker.handle(pack_task(task, arrays or {})).data)


def code(parcel: Parcel[Reply]) -> str:
    assert isinstance(parcel.message, Refusal), parcel.message
    return parcel.message.code


def named(number: int) -> str:
    return f"t1:{number:032x}"


def begun(worker: Worker, number: int = 1, seed: int = 0) -> Member:
    reply = told(worker, SumKeysTask(task=named(number), study=DIGEST, round=number, seed=seed)).message
    assert isinstance(reply, SumKeysReply)
    return reply.member


def cohort(own: Member, signers: list[Signer] = OTHERS, round: int = 1) -> tuple[Member, ...]:
    made = [Secrets.new().member(Occasion(DIGEST, round, 0), signer) for signer in signers]
    return tuple(sorted([own, *made], key=lambda one: one.key))


def shares(members: tuple[Member, ...], number: int = 100, round: int = 1) -> SumSharesTask:
    return SumSharesTask(task=named(number), study=DIGEST, round=round, seed=0, members=members, sites=4)


def test_keys_of_a_round_are_made_once_and_come_back_as_they_were(tmp_path: Path) -> None:
    worker = scripted_sites.worker(tmp_path, chosen=STUDY)
    first = begun(worker)
    assert begun(worker) == first  # the same bytes again
    other = SumKeysTask(task=named(2), study=DIGEST, round=1, seed=1)
    assert code(told(worker, other)) == "wrong-step"
    assert begun(worker, 2).masks != first.masks
    beyond = SumKeysTask(task=named(3), study=DIGEST, round=STUDY.rounds.count + 1, seed=0)
    assert code(told(worker, beyond)) == "not-allowed"


def test_a_second_cohort_of_a_round_is_refused(tmp_path: Path) -> None:
    worker = scripted_sites.worker(tmp_path, chosen=STUDY)
    own = begun(worker)
    whole, smaller = cohort(own), cohort(own, OTHERS[:2])
    assert told(worker, shares(whole)).arrays["sealed"].shape == (3, 48)
    assert code(told(worker, shares(smaller, 101))) == "wrong-step"


def test_a_cohort_with_a_stranger_or_too_few_is_refused_and_another_may_follow(tmp_path: Path) -> None:
    worker = scripted_sites.worker(tmp_path, chosen=STUDY)
    own = begun(worker)
    sybil = Signer(b"s" * 32)
    assert code(told(worker, shares(cohort(own, [*OTHERS[:2], sybil]), 101))) == "unknown-keys"
    assert code(told(worker, shares(cohort(own, OTHERS[:1]), 102))) == "cohort-too-small"
    assert code(told(worker, shares(cohort(own, round=2), 103))) == "unknown-keys"
    assert told(worker, shares(cohort(own), 104)).arrays["sealed"].shape == (3, 48)


def test_steps_come_one_after_the_other(tmp_path: Path) -> None:
    worker = scripted_sites.worker(tmp_path, chosen=STUDY)
    own = begun(worker)
    confirm = SumConfirmTask(task=named(5), study=DIGEST, round=1, seed=0, survivors=(own.key,))
    unmask = SumUnmaskTask(task=named(6), study=DIGEST, round=1, seed=0, signers=(own.key,), signatures=("0" * 128,))
    assert code(told(worker, confirm)) == code(told(worker, unmask)) == "wrong-step"


def test_a_store_that_was_lost_brings_no_second_keys_for_a_round(tmp_path: Path) -> None:
    worker = scripted_sites.worker(tmp_path, chosen=STUDY)
    begun(worker)
    (tmp_path / "clinic" / "replies.db").unlink()
    again = scripted_sites.worker(tmp_path, chosen=STUDY)
    other = SumKeysTask(task=named(2), study=DIGEST, round=1, seed=0)
    assert code(told(again, other)) == "wrong-step"  # the ledger knows


def test_a_study_without_secure_sums_has_no_step_of_one(tmp_path: Path) -> None:
    worker = scripted_sites.worker(tmp_path)
    digest = scripted_sites.STUDY.digest(MODEL.info.digest)
    assert code(told(worker, SumKeysTask(task=named(1), study=digest, round=1, seed=0))) == "not-allowed"


def test_the_ledger_says_of_keys_and_shares_that_they_tell_nothing_of_cases(tmp_path: Path) -> None:
    from fedprompt.verbs.registry import verb_named

    worker = scripted_sites.worker(tmp_path, chosen=STUDY)
    told(worker, shares(cohort(begun(worker))))
    entries = [json.loads(line) for line in (tmp_path / "clinic" / "ledger.jsonl").read_text().splitlines()]
    for entry in entries:
        verb = verb_named(entry["message"]["verb"])
        assert verb is not None and "nothing of any case" in verb.sentence(entry["message"], entry["arrays"])
    assert np.all([len(entry["sha256"]) == 64 for entry in entries])
