"""A site accepts a study of pre-training knowing what leaves, and answers it over its own text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.errors import DataError, EgressRefused, FederationError, ModelError
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.site.folder import SiteFolder
from fedprompt.site.pretraining_worker import PretrainingWorker
from fedprompt.site.tally import Tally
from fedprompt.tuning.pretraining.flat_files import digest_of
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.perplexity import ask_perplexity
from fedprompt.verbs.pretrain import ask_pretrain
from fedprompt.verbs.registry import VERBS
from fedprompt.verbs.update import take_update
from fedprompt.verbs.weights import send_weights
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.site.policy import site_policy
from fedprompt.workspace.site.pretraining import open_pretraining_worker
from fedprompt.workspace.site.rehearse import site_rehearse
from fedprompt.workspace.site.study import site_study_accept, site_study_show
from tests.tuning.pretraining.small_run import write_study, write_texts
from tests.workspace.site.test_site_actions import ABOUT

ANT = "ant"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = find_home(tmp_path / "home")
    (found.path / "machine.json").write_text('{"dtype": "float32", "threads": 1, "device": "cpu"}')
    SiteFolder(found.sites / ANT).prepare(b"a" * 32)
    write_json(found.sites / ANT / "site.json", ABOUT)
    return found


def opened(home: Home, data: Path) -> PretrainingWorker:
    site = enrolled(home, None)
    return open_pretraining_worker(home, site, site.the_study(None), data, BY_NAME)


def asks(worker: PretrainingWorker) -> Hub:
    return Hub(LocalTransport({ANT: worker.handle}), worker.side.digest)


def test_a_study_of_pretraining_says_what_leaves(home: Home, tmp_path: Path) -> None:
    shown = site_study_show(home, write_study(tmp_path))
    assert (shown.rounds, shown.steps, shown.bytes_a_round) == (2, 2, None) and len(shown.leaves) == 3


def test_a_site_answers_each_round_once_and_only_with_weights_that_came_whole(home: Home, tmp_path: Path) -> None:
    study = write_study(tmp_path, "int8")
    site_study_accept(home, study)
    worker = opened(home, write_texts(tmp_path, (ANT,))[ANT][0])
    hub, size = asks(worker), worker.side.model.size
    counts = ask_describe(hub, ANT)
    assert counts.tune + counts.validation == 12
    weights = worker.side.model.values
    digest = digest_of(weights)

    def code(call: object) -> str:
        with pytest.raises(FederationError) as refused:
            call()  # type: ignore[operator]
        return refused.value.code

    def trained(number: int, of: str = digest) -> int:
        return ask_pretrain(hub, ANT, round=number, digest=of, seed=0).documents

    assert code(lambda: trained(1)) == "bad-weights"  # none came
    assert code(lambda: list(send_weights(hub, ANT, weights[:-4096], digest))) == "bad-weights"  # of another model
    assert list(send_weights(hub, ANT, weights, digest)) == [0]
    assert code(lambda: trained(1, "0" * 64)) == "bad-weights"
    assert code(lambda: list(take_update(hub, ANT, size, round=1, seed=0, precision="int8"))) == "bad-task"
    assert trained(1) == counts.tune
    (change,) = take_update(hub, ANT, size, round=1, seed=0, precision="int8")
    assert change.shape == (size,) and 0 < float(np.linalg.norm(change)) < 2
    assert trained(1) == counts.tune  # the same answer, from the store
    assert code(lambda: ask_pretrain(hub, ANT, round=1, digest=digest, seed=1)) == "round-answered"
    assert code(lambda: trained(3)) == "not-allowed"
    nan = weights.copy()
    nan[0] = np.nan
    with pytest.raises(EgressRefused) as bad:
        list(send_weights(hub, ANT, nan, digest_of(nan)))
    assert bad.value.code == "not-finite"
    first = ask_perplexity(hub, ANT, round=0, digest=digest, seed=0)
    assert first.documents >= 2 and first.loss == round(first.loss, 4)
    assert code(lambda: ask_perplexity(hub, ANT, round=0, digest=digest, seed=1)) == "round-answered"
    again = opened(home, tmp_path / ANT)  # a new process goes on from the files
    assert ask_perplexity(asks(again), ANT, round=0, digest=digest, seed=0) == first


@pytest.fixture
def accepted(home: Home, tmp_path: Path) -> PretrainingWorker:
    site_study_accept(home, write_study(tmp_path))
    return opened(home, write_texts(tmp_path, (ANT,))[ANT][0])


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(FederationError) as refused:
        call()
    return refused.value.code


def sent(hub: Hub, weights: NDArray[np.float32]) -> str:
    list(send_weights(hub, ANT, weights, digest_of(weights)))
    return digest_of(weights)


def test_weights_that_make_a_loss_infinite_spend_the_round_and_the_look(accepted: PretrainingWorker) -> None:
    hub, weights = asks(accepted), accepted.side.model.values
    cut = accepted.side.model.matrices
    bad = sent(hub, np.concatenate([weights[:cut] * np.float32(1e12), np.full_like(weights[cut:], 1e30)]))

    def answers(digest: str) -> list[str]:
        return [
            code_of(lambda: ask_perplexity(hub, ANT, round=1, digest=digest, seed=0)),
            code_of(lambda: ask_pretrain(hub, ANT, round=1, digest=digest, seed=0)),
        ]

    assert answers(bad) == ["failed", "failed"]
    assert answers(sent(hub, weights)) == ["round-answered", "round-answered"]
    assert (
        code_of(lambda: next(take_update(hub, ANT, weights.size, round=1, seed=0, precision="float32"))) == "bad-task"
    )


def test_weights_that_make_a_loss_huge_have_an_answer_and_spend_the_look(accepted: PretrainingWorker) -> None:
    hub, weights = asks(accepted), accepted.side.model.values
    last = accepted.side.model.layout[-1].begin  # the norm before the logits
    digest = sent(hub, np.concatenate([weights[:last], np.full_like(weights[last:], 1e12)]))
    assert ask_perplexity(hub, ANT, round=0, digest=digest, seed=0).loss == 1e6
    assert code_of(lambda: ask_perplexity(hub, ANT, round=0, digest=digest, seed=1)) == "round-answered"


def test_only_measured_rounds_have_a_loss(home: Home, tmp_path: Path) -> None:
    study = write_study(tmp_path)
    study.write_text(study.read_text().replace("{count: 2,", "{count: 2, scored: 1,"))
    site_study_accept(home, study)
    worker = opened(home, write_texts(tmp_path, (ANT,))[ANT][0])
    hub = asks(worker)
    digest = sent(hub, worker.side.model.values)
    assert code_of(lambda: ask_perplexity(hub, ANT, round=1, digest=digest, seed=0)) == "not-allowed"
    for number in (0, 2):
        assert ask_perplexity(hub, ANT, round=number, digest=digest, seed=0).documents >= 2


def test_another_study_of_the_same_text_has_no_rounds_or_losses_of_its_own_until_it_says_so(
    home: Home, tmp_path: Path
) -> None:
    study, texts = write_study(tmp_path), write_texts(tmp_path, (ANT,))[ANT][0]
    folder = SiteFolder(home.sites / ANT)

    def asked() -> tuple[Callable[[int], object], Callable[[int], object]]:
        site_study_accept(home, study)
        site = enrolled(home, None)
        name = study.read_text().splitlines()[0].removeprefix("study: ")
        worker = open_pretraining_worker(home, site, site.the_study(name), texts, BY_NAME)
        hub = asks(worker)
        digest = sent(hub, worker.side.model.values)
        return (
            lambda number: ask_perplexity(hub, ANT, round=number, digest=digest, seed=0),
            lambda number: ask_pretrain(hub, ANT, round=number, digest=digest, seed=0),
        )

    look, train = asked()
    for number in range(3):
        look(number)
    for number in (1, 2):
        train(number)
    tally = Tally(folder.ledger, folder.replies)
    assert not tally.numbers("updates") and not tally.numbers("exact")  # labelled cases of the site have answered none
    study.write_text(study.read_text().replace("study: small", "study: other"))
    look, train = asked()
    assert (code_of(lambda: look(0)), code_of(lambda: train(1))) == ("questions-spent", "updates-spent")
    more = "{min_cases: 2, updates: 3, questions: 4}"
    study.write_text(study.read_text().replace("study: other", "study: third").replace("{min_cases: 2}", more))
    look, train = asked()
    look(0)
    train(1)
    assert (code_of(lambda: look(1)), code_of(lambda: train(2))) == ("questions-spent", "updates-spent")


def test_weights_of_many_digests_do_not_fill_the_disk(accepted: PretrainingWorker) -> None:
    hub, weights = asks(accepted), accepted.side.model.values
    for shift in range(4):
        sent(hub, weights + np.float32(shift))
    assert len(list(accepted.side.folder.glob("came-*"))) == 2


def test_a_model_that_is_larger_than_the_policy_allows_is_neither_accepted_nor_trained(
    home: Home, tmp_path: Path
) -> None:
    study, texts = write_study(tmp_path), write_texts(tmp_path, (ANT,))[ANT][0]
    site_study_accept(home, study)
    site_policy(home, {"weights": 1000})
    for call in (lambda: site_study_accept(home, study), lambda: opened(home, texts)):
        with pytest.raises(ModelError) as refused:
            call()
        assert refused.value.code == "larger-than-allowed"
    site_policy(home, {"weights": None})
    site_study_accept(home, study)


def test_ordinary_verbs_are_refused_and_too_little_text_is_said(home: Home, tmp_path: Path) -> None:
    site_study_accept(home, write_study(tmp_path))
    texts = write_texts(tmp_path, (ANT,))[ANT][0]
    worker = opened(home, texts)
    with pytest.raises(FederationError):
        from fedprompt.verbs.tune import ask_tune

        ask_tune(asks(worker), ANT, np.zeros((2, 16), np.float32), round=1, steps=1, seed=0)
    assert {"weights", "pretrain", "update", "perplexity"} < {verb.name for verb in VERBS}
    with pytest.raises(FederationError) as refused:
        site_rehearse(home, texts)
    assert refused.value.code == "not-rehearsed"
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "one.txt").write_text("a short text of nine words and no more")
    with pytest.raises(DataError) as few:
        opened(home, tmp_path / "few")
    assert few.value.code == "too-little-text"
