"""A worker answers its verbs with sums over its cases, refuses the rest with a code, and never tells a case."""

import json
import re
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import EgressRefused
from fedprompt.models.scripted import WIDTH
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.folder import SiteFolder
from fedprompt.site.policy import Policy, write_policy
from fedprompt.site.worker import Worker
from fedprompt.verbs.describe import DescribeReply, DescribeTask
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.forms import Parcel, Reply, Task
from fedprompt.verbs.propose import ProposeTask
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreReply, ScoreTask
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from tests.scripted_sites import LABELS, MODEL, STUDY, cases, short_worker, study, worker

TASK = "t1:" + "a" * 32
TEMPLATES = tuple(Prompt(template).id for template in STUDY.candidates())
DIGEST = STUDY.digest(MODEL.info.digest)
START = MODEL.text_init("Overall the feeling is", 3)
SOFT = Prompt(STUDY.soft_template(), START)
NO_ID = "p1:" + "0" * 32


@pytest.fixture
def site(tmp_path: Path) -> Worker:
    return worker(tmp_path)


def ask(site: Worker, task: Task, **arrays: np.ndarray) -> Parcel[Reply]:
    return unpack_reply(site.handle(pack_task(task, {k.replace("_", "-"): v for k, v in arrays.items()})).data)


def code(site: Worker, task: Task, **arrays: np.ndarray) -> str:
    message = ask(site, task, **arrays).message
    assert isinstance(message, Refusal), message
    return message.code


def new_id() -> str:
    return f"t1:{uuid.uuid4().hex}"


def tune(**changes: Any) -> TuneTask:
    return TuneTask(**{"task": TASK, "study": DIGEST, "round": 1, "steps": 2, "seed": 0, **changes})


def evaluate(**changes: Any) -> EvaluateTask:
    return EvaluateTask(**{"task": TASK, "study": DIGEST, "split": "validation", **changes})


def test_describe_counts_splits_and_labels(site: Worker) -> None:
    reply = ask(site, DescribeTask(task=TASK, study=DIGEST)).message
    assert isinstance(reply, DescribeReply)
    assert (reply.tune, reply.validation, reply.test) == (30, 20, 20)
    # 80 cases, half of each label; the ten beyond the wanted sizes stay unused.
    assert reply.labels == (35, 35)


def test_score_gives_sums_for_each_template_and_pairs_with_the_reference(site: Worker) -> None:
    first, second, third = TEMPLATES
    reply = ask(site, ScoreTask(task=TASK, study=DIGEST, prompts=(first, second, third), reference=second)).message
    assert isinstance(reply, ScoreReply)
    assert [score.prompt for score in reply.scores] == list(TEMPLATES)
    assert all(score.n == 20 and score.split == "validation" for score in reply.scores)
    assert [(pair.first, pair.second) for pair in reply.comparisons] == [(first, second), (third, second)]
    for pair, score in zip(reply.comparisons, (reply.scores[0], reply.scores[2]), strict=True):
        assert pair.total == score.total - reply.scores[1].total
        assert pair.better - pair.worse == pair.total


def test_tune_gives_an_update_that_lowers_the_loss_and_comes_again_at_the_same_site(tmp_path: Path) -> None:
    chosen = study(tuning={"steps": 8})
    site = worker(tmp_path, chosen=chosen)
    asked: dict[str, Any] = {"study": site.digest, "steps": 8}
    parcel = ask(site, tune(**asked), start=START.vectors)
    reply, delta = parcel.message, parcel.arrays["delta"]
    assert isinstance(reply, TuneReply)
    assert (reply.cases, reply.round) == (30, 1)
    assert delta.shape == (3, WIDTH)
    objective, rows = site.side.objective("tune"), range(30)
    assert (
        objective.loss_and_gradient(START.vectors + delta, rows).loss
        < objective.loss_and_gradient(START.vectors, rows).loss
    )
    again = ask(worker(tmp_path / "anew", chosen=chosen), tune(**asked), start=START.vectors)
    assert again.message == reply and np.array_equal(again.arrays["delta"], delta)


def test_a_first_round_that_begins_alike_is_told_again_and_not_run_again(tmp_path: Path, monkeypatch: Any) -> None:
    chosen = study(rounds={"alone": True})
    site = worker(tmp_path, chosen=chosen)
    first = ask(site, tune(study=site.digest), start=START.vectors)
    told: list[tuple[int, int, float]] = []
    site.side.on_step = lambda number, step, loss: told.append((number, step, loss))
    monkeypatch.setattr(site.side, "objective", lambda split: None)  # whoever runs a step now fails
    again = ask(site, tune(study=site.digest, among="alone"), start=START.vectors)
    assert all(np.array_equal(again.arrays[name], first.arrays[name]) for name in first.arrays)
    assert [step for _, step, _ in told] == [1, 2]


def test_an_update_is_clipped(tmp_path: Path) -> None:
    chosen = study(privacy={"max_norm": 0.01})
    site = worker(tmp_path, chosen=chosen)
    delta = ask(site, tune(study=site.digest), start=START.vectors).arrays["delta"]
    assert 0.009 < float(np.linalg.norm(delta.astype(np.float64))) <= 0.01


def test_evaluate_scores_templates_and_soft_prompts_and_compares_them(site: Worker) -> None:
    reply = ask(
        site,
        evaluate(templates=TEMPLATES[:1], soft=(SOFT.id,), pairs=((SOFT.id, TEMPLATES[0]),)),
        soft_0=START.vectors,
    ).message
    assert isinstance(reply, ScoreReply)
    assert [score.prompt for score in reply.scores] == [TEMPLATES[0], SOFT.id]
    (pair,) = reply.comparisons
    assert pair.total == reply.scores[1].total - reply.scores[0].total
    assert reply.looks == 0


def test_a_soft_prompt_scores_the_same_alone_and_in_company(tmp_path: Path) -> None:
    alone = ask(worker(tmp_path), evaluate(soft=(SOFT.id,)), soft_0=START.vectors).message
    both = ask(worker(tmp_path), evaluate(templates=TEMPLATES, soft=(SOFT.id,)), soft_0=START.vectors).message
    assert isinstance(alone, ScoreReply) and isinstance(both, ScoreReply)
    one, other = alone.scores[0], both.scores[-1]
    assert (one.total, one.confusion) == (other.total, other.confusion)


def test_looks_at_test_are_counted_across_workers(tmp_path: Path) -> None:
    looks = []
    for split in ("test", "validation", "test", "tune"):
        asked = evaluate(task=new_id(), split=split, templates=TEMPLATES[:1])
        reply = ask(worker(tmp_path), asked).message
        assert ask(worker(tmp_path), asked).message == reply  # asked again, it is no other look
        assert isinstance(reply, ScoreReply)
        looks.append(reply.looks)
    assert looks == [1, 0, 2, 0]
    # A look that was refused showed nothing.
    assert code(worker(tmp_path), evaluate(split="test", templates=(NO_ID,))) == "unknown-prompt"
    last = ask(worker(tmp_path), evaluate(task=new_id(), split="test", templates=TEMPLATES[:1])).message
    assert isinstance(last, ScoreReply) and last.looks == 3


def test_a_study_that_was_not_accepted_is_refused(site: Worker) -> None:
    other = "s1:" + "0" * 32
    assert code(site, DescribeTask(task=TASK, study=other)) == "unknown-study"
    assert code(site, ScoreTask(task=TASK, study=other, prompts=TEMPLATES)) == "unknown-study"
    assert code(site, tune(study=other), start=START.vectors) == "unknown-study"
    assert code(site, evaluate(study=other, templates=TEMPLATES)) == "unknown-study"


def test_prompts_that_are_not_of_the_study_are_refused(site: Worker) -> None:
    assert code(site, ScoreTask(task=TASK, study=DIGEST, prompts=(*TEMPLATES, NO_ID))) == "unknown-prompt"
    assert code(site, ScoreTask(task=TASK, study=DIGEST, prompts=TEMPLATES, reference=NO_ID)) == "unknown-prompt"
    assert code(site, evaluate(templates=(NO_ID,))) == "unknown-prompt"
    assert code(site, evaluate()) == "unknown-prompt"
    assert code(site, evaluate(templates=TEMPLATES[:1], pairs=((TEMPLATES[0], TEMPLATES[1]),))) == "unknown-prompt"


def test_too_few_cases_are_refused_whatever_is_asked(tmp_path: Path) -> None:
    # Nine cases are fewer than the study's ten, in each split and altogether.
    site = short_worker(tmp_path, 9)
    assert code(site, DescribeTask(task=TASK, study=DIGEST)) == "too-few-cases"
    assert code(site, ScoreTask(task=TASK, study=DIGEST, prompts=TEMPLATES)) == "too-few-cases"
    assert code(site, tune(), start=START.vectors) == "too-few-cases"
    for split in ("tune", "validation", "test"):
        assert code(site, evaluate(split=split, templates=TEMPLATES[:1])) == "too-few-cases"


def wrong() -> list[np.ndarray]:
    return [
        np.zeros((3, WIDTH + 1), np.float32),
        np.zeros((3, 1), np.float32),
        np.full((3, WIDTH), 1e4, np.float32),
        np.full((3, WIDTH), 3e38, np.float32),
    ]


@pytest.mark.parametrize("vectors", [*wrong(), np.zeros((4, WIDTH), np.float32)])
def test_tuning_does_not_begin_from_a_soft_prompt_that_is_off(site: Worker, vectors: np.ndarray) -> None:
    assert code(site, tune(), start=vectors) == "bad-soft-prompt"


@pytest.mark.parametrize("vectors", wrong())
def test_a_soft_prompt_that_is_off_is_not_evaluated(site: Worker, vectors: np.ndarray) -> None:
    claimed = Prompt(STUDY.soft_template(), SoftPrompt(vectors, MODEL.info.digest)).id
    assert code(site, evaluate(soft=(claimed,)), soft_0=vectors) == "bad-soft-prompt"


def test_a_soft_prompt_under_another_id_is_not_evaluated(site: Worker) -> None:
    assert code(site, evaluate(soft=(NO_ID,)), soft_0=START.vectors) == "bad-soft-prompt"
    assert code(site, evaluate(soft=(SOFT.id,)), soft_0=START.vectors + np.float32(1e-3)) == "bad-soft-prompt"


def test_a_study_without_a_slot_takes_no_soft_prompt(tmp_path: Path) -> None:
    chosen = STUDY.model_copy(update={"soft": None})
    site = worker(tmp_path, chosen=chosen)
    assert code(site, tune(study=site.digest), start=START.vectors) == "bad-soft-prompt"
    assert code(site, evaluate(study=site.digest, soft=(SOFT.id,)), soft_0=START.vectors) == "bad-soft-prompt"


def test_a_spent_budget_is_refused(tmp_path: Path) -> None:
    chosen = study(privacy={"replies": 1})
    site = worker(tmp_path, chosen=chosen)
    task = DescribeTask(task=TASK, study=site.digest)
    assert isinstance(ask(site, task).message, DescribeReply)
    assert code(site, DescribeTask(task=new_id(), study=site.digest)) == "budget-spent"
    assert isinstance(ask(site, task).message, DescribeReply)  # asked again, it costs nothing


def test_what_is_no_task_is_not_answered(site: Worker, tmp_path: Path) -> None:
    for data in (b"", b"\x80\x04.", b"{}", b"x" * 100):
        with pytest.raises(EgressRefused):
            site.handle(data)
    assert not (tmp_path / "clinic" / "ledger.jsonl").exists()


def test_no_word_of_any_case_leaves_or_is_in_the_ledger(site: Worker, tmp_path: Path) -> None:
    tasks: list[tuple[Task, dict[str, np.ndarray]]] = [
        (DescribeTask(task=TASK, study=DIGEST), {}),
        (ScoreTask(task=TASK, study=DIGEST, prompts=TEMPLATES, reference=TEMPLATES[0]), {}),
        (tune(), {"start": START.vectors}),
        (tune(), {"start": np.zeros((3, 2), np.float32)}),
        (evaluate(split="test", templates=TEMPLATES, soft=(SOFT.id,)), {"soft-0": START.vectors}),
        (evaluate(templates=(NO_ID,)), {}),
    ]
    sent = b"".join(site.handle(pack_task(task, arrays)).data for task, arrays in tasks)
    ledger = (tmp_path / "clinic" / "ledger.jsonl").read_bytes()
    words = {word for case in cases("clinic") for word in re.findall(r"[a-z]{4,}", case.fields["text"])}
    assert {"quixotry", "zymurgy", "wonderful"} <= words
    for word in words - {"clinic"}:
        assert word.encode() not in sent + ledger, word
    assert b"clinic" not in sent


def test_the_ledger_lists_numbers_ids_and_words_of_the_schema_alone(site: Worker, tmp_path: Path) -> None:
    ask(site, ScoreTask(task=TASK, study=DIGEST, prompts=TEMPLATES, reference=TEMPLATES[0]))
    ask(site, tune(), start=START.vectors)
    ask(site, evaluate(templates=(NO_ID,)))
    words = {"score", "tune", "refuse", "accuracy", "validation", "unknown-prompt", "sent", "refused"}
    words |= {"likelihood", "float32"}

    def leaves(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [leaf for part in value.values() for leaf in leaves(part)]
        return [leaf for part in value for leaf in leaves(part)] if isinstance(value, list) else [value]

    lines = (tmp_path / "clinic" / "ledger.jsonl").read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        for leaf in leaves({k: v for k, v in json.loads(line).items() if k != "time"}):
            assert (
                leaf is None
                or isinstance(leaf, int | float)
                or leaf in words
                or re.fullmatch(r"[jpst]1:[0-9a-f]{32}|[0-9a-f]{64}", leaf)
            ), leaf
    assert not any(label in "".join(lines) for label in LABELS)


def test_more_steps_or_other_tokens_than_the_accepted_study_are_refused(site: Worker) -> None:
    assert code(site, tune(steps=3), start=START.vectors) == "not-allowed"
    longer = SoftPrompt(np.vstack([START.vectors, START.vectors]), START.model)
    soft = Prompt(STUDY.soft_template(), longer)
    assert code(site, evaluate(soft=(soft.id,)), soft_0=longer.vectors) == "bad-soft-prompt"


def test_propose_is_not_supported(site: Worker) -> None:
    assert code(site, ProposeTask(task=TASK, study=DIGEST)) == "not-supported"


def test_an_answer_asked_for_again_is_the_same_bytes_of_another_process_too(tmp_path: Path) -> None:
    asked = pack_task(tune(), {"start": START.vectors})
    first, again = worker(tmp_path).handle(asked), worker(tmp_path).handle(asked)
    assert first.data == again.data
    entries = SiteFolder(tmp_path / "clinic").ledger.entries()
    assert [entry.decision for entry in entries] == ["sent", "resent"]
    other_cases = worker(tmp_path, count=100).handle(asked)  # another file is another question
    assert other_cases.data != first.data or len(SiteFolder(tmp_path / "clinic").ledger.entries()) == 3


def test_the_operators_policy_and_pause_are_heeded_at_the_next_task(site: Worker, tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path / "clinic")
    task = DescribeTask(task=TASK, study=DIGEST)
    folder.pause.touch()
    assert code(site, task) == "paused"
    folder.pause.unlink()
    write_policy(folder.policy_file, Policy(verbs=("score",)))
    assert code(site, task) == "not-allowed"
    write_policy(folder.policy_file, Policy(min_cases=1000))
    assert code(site, task) == "too-few-cases"
    write_policy(folder.policy_file, Policy(tasks_a_day=3))
    assert code(site, task) == "budget-spent"
    now, hour = datetime.now(), timedelta(hours=1)
    write_policy(folder.policy_file, Policy(quiet_hours=f"{now - hour:%H:%M}-{now + hour:%H:%M}"))
    assert code(site, task) == "paused"
    write_policy(folder.policy_file, Policy())
    assert isinstance(ask(site, task).message, DescribeReply)
