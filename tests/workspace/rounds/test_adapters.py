"""A federation that moves an adapter: the same rounds, bank, replay and answers as one that moves a soft prompt."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fedprompt.errors import BankError, ExportError, JobError, SiteRefused, StudyError
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.models.protocols import LossGradient
from fedprompt.prompts.adapter import A, Adapter, B
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.policy import Policy, write_policy
from fedprompt.study.files import read_study
from fedprompt.study.rounding import nearest_of
from fedprompt.study.schema import Study
from fedprompt.tuning.partly import moved_alone
from fedprompt.tuning.tunables.registry import tunable_of
from fedprompt.verbs.evaluate import ask_evaluate
from fedprompt.verbs.tune import ask_tune
from fedprompt.workspace.answers.answering import local_prompt
from fedprompt.workspace.answers.readying import ready
from fedprompt.workspace.answers.variants import bank_variant
from fedprompt.workspace.exchange.exporting import export_prompts, formats, import_file
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.recomputing import recompute_without
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, TEXT, worker, write_cases

VARIANTS = ("fedavg", "ffa", "alternating")
LORA = {"rank": 2, "targets": ["mix"]}
SITES = ("bank", "clinic", "court")
Done = tuple[Workspace, FederatedResult, str]


def body(variant: str = "fedavg", **more: Any) -> dict[str, Any]:
    """Return the small study with an adapter in the soft prompt's place."""
    found: dict[str, Any] = yaml.safe_load(TEXT)
    del found["soft"]
    return {**found, "tunable": {"lora": {**LORA, "variant": variant}}, **more}


def moving(variant: str, **more: Any) -> Study:
    return Study.model_validate(body(variant, **more))


def adapters(study: Study, steps: int, path: Path) -> tuple[Adapter, list[Adapter], np.ndarray]:
    """Return a round-1 start, what each site made of it, and the mean of their values."""
    tunable = tunable_of(study)
    assert tunable is not None
    start = tunable.start(MODEL, study)
    assert isinstance(start, Adapter)
    workers = {name: worker(path, name, chosen=study) for name in SITES}
    hub = Hub(LocalTransport({name: one.handle for name, one in workers.items()}), workers["bank"].digest)
    made = []
    for name in SITES:
        delta = ask_tune(hub, name, start.values, round=1, steps=steps, seed=0).delta
        made.append(start.with_values(start.values + delta))
    return start, made, np.mean([one.values for one in made], axis=0, dtype=np.float64)


def product(adapter: Adapter) -> np.ndarray:
    layer = "reader.mix"
    return adapter.arrays[layer + B].astype(np.float64) @ adapter.arrays[layer + A].astype(np.float64)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_exact_variants_average_the_products_and_the_plain_one_does_not(variant: str, tmp_path: Path) -> None:
    study = moving(variant, tuning={"steps": 4, "batch": 8, "lr": 0.1})
    start, made, mean = adapters(study, 4, tmp_path)
    apart = np.abs(product(start.with_values(mean.astype(np.float32))) - np.mean([product(a) for a in made], axis=0))
    assert (float(apart.max()) < 1e-6) == (variant != "fedavg")
    moved = {A: False, B: False}
    for one in made:
        for name, array in one.arrays.items():
            moved[A if name.endswith(A) else B] |= not np.array_equal(array, start.arrays[name])
    assert moved == {A: variant == "fedavg", B: True}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    path = tmp_path_factory.mktemp("adapters")
    rounds = {"count": 2, "keep_updates": True, "alone": True, "update": "int8"}
    (path / "s.yaml").write_text(yaml.safe_dump(body("alternating", rounds=rounds)))
    files = {name: write_cases(path / f"{name}.csv", name) for name in SITES}
    with new_workspace(path / "home") as ws:
        found = federate(ws, path / "s.yaml", files)
        yield ws, found, max(found.rounds, key=lambda r: (r.mean, -r.round)).prompt


@pytest.mark.whole
def test_a_federations_adapter_is_in_the_bank_with_its_scores_and_answers(done: Done) -> None:
    ws, found, best = done
    prompt = ws.bank.prompt(best)
    assert (prompt.kind, ws.bank.prompt_row(best).kind) == ("adapter", "adapter") and prompt.adapter is not None
    assert set(found.test) >= {"manual", "federated", "local_own", "kept"}
    assert best in {row.score.prompt for row in ws.bank.scores(run=found.run, split="test")}
    kept = ws.home.path / "adapters" / f"{prompt.adapter.digest.removeprefix('sha256:')}.safetensors"
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.read_bytes() == prompt.adapter.file
    assert ws.bank.verify() == ()
    given = local_prompt(ws, best).run({"text": "it was wonderful"})
    assert set(given.probabilities or {}) == {"positive", "negative"}
    on_server = bank_variant(ws, best, "mine").model_copy(update={"model": "openai:gpt-x"})
    with pytest.raises(JobError, check=coded("words-only")), ExitStack() as stack:
        ready(ws, on_server, stack)  # a server cannot stand an adapter beside its layers


@pytest.mark.whole
def test_its_rounds_are_told_again_without_a_site(done: Done) -> None:
    ws, found, _ = done
    told = recompute_without(ws, "court")
    assert [row.before for row in told.rounds] == [row.prompt for row in found.rounds]
    assert ws.bank.prompt(told.prompt).kind == "adapter"


@pytest.mark.whole
def test_only_the_adapters_own_format_and_scores_hold_it_and_it_comes_back(done: Done, tmp_path: Path) -> None:
    ws, _, best = done
    assert {view.name for view in formats(ws, [best]) if view.allowed} == {"peft-adapter", "card", "csv", "parquet"}
    folder = export_prompts(ws, [best], "peft-adapter", tmp_path / "out").path
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["target_modules"]) == ("LORA", 2, ["mix"])
    with new_workspace(tmp_path / "other") as other:
        assert import_file(other, folder).prompts == (best,)
        assert other.bank.prompt(best) == ws.bank.prompt(best)
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with new_workspace(tmp_path / "third") as third, pytest.raises(ExportError, check=coded("not-well-formed")):
        import_file(third, folder)


@pytest.mark.whole
def test_a_backup_has_the_files_and_a_missing_or_damaged_one_is_found(done: Done, tmp_path: Path) -> None:
    ws, _, best = done
    ws.bank.backup(tmp_path / "backup.db")
    with new_workspace(tmp_path / "home") as other:
        other.bank.merge(tmp_path / "backup.db")
        assert other.bank.prompt(best) == ws.bank.prompt(best) and other.bank.verify() == ()
        digest = ws.bank.prompt(best).canonical()["adapter"]["file"].removeprefix("sha256:")
        file = other.home.path / "adapters" / f"{digest}.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(BankError, check=coded("damaged")):
            other.bank.prompt(best)
        file.unlink()
        with pytest.raises(BankError, check=coded("adapter-missing")):
            other.bank.prompt(best)
        assert any(problem.where == f"prompt {best}" for problem in other.bank.verify())


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"tunable": {"lora": {**LORA, "template": "none"}}}, "tunable.lora.template"),
        ({"tunable": {"lora": {**LORA, "rank": 0}}}, "tunable.lora.rank"),
        ({"tunable": {"lora": {**LORA, "targets": ["mix", "mix"]}}}, "tunable.lora"),
        ({"tunable": {}}, "tunable"),
        ({"worth": {"n": [8]}}, "worth"),
        ({"rounds": {"personal": {}}}, "rounds.personal"),
        ({"answer": {"type": "generate", "scorers": ["exact"]}, "metric": "score"}, "tunable"),
    ],
)
def test_a_study_that_cannot_move_its_adapter_is_refused(changes: dict[str, Any], place: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump({**body(), **changes}))
    with pytest.raises(StudyError) as caught:
        read_study(file)
    assert place in str(caught.value)


def test_a_study_without_a_tunable_has_the_digest_that_it_had() -> None:
    plain = Study.model_validate(yaml.safe_load(TEXT))
    assert "tunable" not in plain.model_dump(mode="json") and plain.moves == "soft"


@pytest.mark.parametrize("size", [63, 65, 0])
def test_a_site_tunes_from_no_values_of_another_size_and_none_that_its_policy_does_not_allow(
    size: int, tmp_path: Path
) -> None:
    study = moving("fedavg")
    site = worker(tmp_path, "clinic", chosen=study)
    hub = Hub(LocalTransport({"clinic": site.handle}), site.digest)
    with pytest.raises(SiteRefused, check=coded("bad-soft-prompt")):
        ask_tune(hub, "clinic", np.zeros(max(size, 1), np.float32), round=1, steps=2, seed=0)
    write_policy(tmp_path / "clinic" / "policy.json", Policy(parameters=size))
    with pytest.raises(SiteRefused, check=coded("not-allowed")) if size < 64 else nullcontext():
        ask_tune(hub, "clinic", np.zeros(64, np.float32), round=1, steps=2, seed=0)


def test_right_answers_of_an_adapter_that_a_hub_brings_leave_rounded_and_without_a_matrix(tmp_path: Path) -> None:
    study = moving("fedavg", privacy={"min_cases": 10, "min_cell": 1, "questions": 1000, "details": "templates"})
    site = worker(tmp_path, "clinic", chosen=study)
    site.side._bounded = True  # as where a hub asks
    hub = Hub(LocalTransport({"clinic": site.handle}), site.digest)
    tunable = tunable_of(study)
    assert tunable is not None
    prompt = Prompt(study.tuned_template(), tunable.start(MODEL, study))
    (score,) = ask_evaluate(hub, "clinic", [prompt], "validation").scores
    assert score.n == 20 and score.total % nearest_of(20) == 0 and nearest_of(20) > 1
    assert score.confusion == score.bins == ()


def test_noise_on_a_slope_moves_no_value_that_the_round_keeps() -> None:
    study, tunable = moving("alternating"), tunable_of(moving("alternating"))
    assert tunable is not None
    for number, shared in ((1, A), (2, B)):
        kept = tunable.moving(MODEL, study, number)
        assert kept is not None and kept.sum() == 32
        found = moved_alone(LossGradient(1.0, np.ones(64, np.float32)), kept)
        parts = {A: found.gradient[:32], B: found.gradient[32:]}
        assert not parts[shared].any() and parts[B if shared == A else A].all()
