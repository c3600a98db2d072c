"""A training falls, is the same every time, and goes on where it was, to the bit."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fedprompt.errors import TuningError
from fedprompt.stopping import Stopped, StopToken
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.fused_loss import fused_loss
from fedprompt.tuning.pretraining.lm_loss import LMLoss
from fedprompt.tuning.pretraining.loop import Keeping, Trained, rows_of, train
from fedprompt.tuning.pretraining.perplexity import held_out_loss
from fedprompt.tuning.pretraining.room import Need, check_room, needed
from fedprompt.tuning.pretraining.state import TrainState
from tests.models.tiny import FAMILIES, config, network
from tests.tuning.pretraining.tiny_text import WINDOW, tiny_corpus, tiny_model, tiny_settings


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_fused_loss_and_its_slopes_are_those_of_cross_entropy(rows: int) -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(20, 8, requires_grad=True), torch.randn(33, 8, requires_grad=True)
    targets = torch.randint(0, 33, (20,))
    plain = torch.nn.functional.cross_entropy(hidden @ weight.T, targets)
    plain.backward()
    slopes = [hidden.grad, weight.grad]
    hidden.grad = weight.grad = None
    fused = fused_loss(hidden, weight, targets, rows)
    (fused * 1.0).backward()
    assert torch.allclose(fused, plain, atol=1e-6)
    for one, wanted in zip((hidden.grad, weight.grad), slopes, strict=True):
        assert one is not None and wanted is not None and torch.allclose(one, wanted, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_the_models_own_for_every_family(family: str) -> None:
    lm = network(config(family))
    tokens = torch.arange(2 * 12).reshape(2, 12) % 300
    wanted = lm(tokens, labels=tokens).loss
    assert float(LMLoss(lm, 4)(tokens)) == pytest.approx(float(wanted), abs=2e-5)


def test_the_weights_are_views_of_one_array() -> None:
    model = tiny_model()
    before = model.values
    assert model.size == sum(one.numel() for one in model.lm.parameters())
    assert [one.begin for one in model.layout] == sorted(one.begin for one in model.layout)
    model.install(np.zeros_like(before))
    assert all(not one.any() for one in model.lm.parameters())
    assert np.array_equal(tiny_model().values, before) and not np.array_equal(tiny_model(1).values, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_with_nan_or_of_another_model_are_refused(bad: float) -> None:
    model = tiny_model()
    values = model.values
    values[3] = bad
    with pytest.raises(TuningError) as refused:
        model.install(values)
    assert refused.value.code == "not-finite"
    with pytest.raises(TuningError) as other:
        model.install(values[:-1])
    assert other.value.code == "other-model"


def test_held_out_text_is_predicted_better_after_training(tmp_path: Path) -> None:
    corpus, model = tiny_corpus(tmp_path, texts=150), tiny_model()
    before = held_out_loss(model, corpus.held_out, WINDOW)
    found = train(model, corpus.train, tiny_settings(12, 8))
    after = held_out_loss(model, corpus.held_out, WINDOW)
    assert after.perplexity < before.perplexity and found.losses[-1] < found.losses[0]
    assert before.tokens == after.tokens == before.windows * (WINDOW - 1) and before.documents > 1


def test_parts_of_a_batch_make_the_same_step(tmp_path: Path) -> None:
    corpus = tiny_corpus(tmp_path)
    whole, parts = tiny_model(), tiny_model()
    train(whole, corpus.train, tiny_settings(2))
    train(parts, corpus.train, tiny_settings(2, accumulate=3))
    assert np.allclose(whole.values, parts.values, atol=2e-5)


def test_a_step_is_the_librarys(tmp_path: Path) -> None:
    """One array and one fused step move the weights as AdamW over the model's own parameters does."""
    corpus, ours, plain = tiny_corpus(tmp_path), tiny_model(), tiny_model()
    settings = tiny_settings(3)
    train(ours, corpus.train, settings)
    named = [(name, one) for name, one in plain.lm.named_parameters()]
    groups = [
        {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": settings.decay},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas)
    for step in (1, 2, 3):
        tokens = torch.from_numpy(corpus.train.batch(rows_of(settings, corpus.train.windows(WINDOW), step), WINDOW))
        plain.gradient.zero_()
        plain.lm(tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.lm.parameters(), settings.clip)
        for group in adam.param_groups:
            group["lr"] = settings.lr * settings.schedule.factor(step)
        adam.step()
    assert np.allclose(ours.values, plain.values, atol=1e-5)


def test_it_goes_on_where_it_was_to_the_bit(tmp_path: Path) -> None:
    corpus = tiny_corpus(tmp_path)
    whole = train(tiny_model(), corpus.train, tiny_settings())
    for stopped_at in (1, 2, 5):
        keeping = Keeping(tmp_path / "state", f"run {stopped_at}", seconds=0.0)
        resumed = _stopped_and_resumed(corpus.train, keeping, stopped_at)
        for name in ("weights", "first", "second"):
            assert np.array_equal(getattr(resumed.state, name), getattr(whole.state, name))
        assert resumed.losses == whole.losses[stopped_at:]


def _stopped_and_resumed(text: object, keeping: Keeping, at: int) -> Trained:
    taken: list[int] = []
    stop = StopToken(lambda: "cancelled" if len(taken) == at else None, every=0)
    with pytest.raises(Stopped):
        train(tiny_model(), text, tiny_settings(), keeping=keeping, progress=lambda s, _: taken.append(s), stop=stop)  # type: ignore[arg-type]
    return train(tiny_model(5), text, tiny_settings(), keeping=keeping)  # type: ignore[arg-type]


def test_two_rounds_with_the_moments_are_one_training(tmp_path: Path) -> None:
    corpus = tiny_corpus(tmp_path)
    whole = train(tiny_model(), corpus.train, tiny_settings(12))
    model = tiny_model()
    first = train(model, corpus.train, tiny_settings(5))
    moments = (first.state.first, first.state.second)
    second = train(model, corpus.train, tiny_settings(7).from_step(5), moments=moments)
    assert np.array_equal(second.state.weights, whole.state.weights)


def test_a_state_of_another_run_or_model_or_a_torn_one_is_not_taken(tmp_path: Path) -> None:
    path, one = tmp_path / "state", np.zeros(4, np.float32)
    TrainState(3, one, one, one).write(path, "run")
    found = TrainState.read(path, "run", 4)
    assert found is not None and found.step == 3
    assert TrainState.read(path, "other", 4) is None and TrainState.read(path, "run", 5) is None
    path.write_bytes(path.read_bytes()[:-5])
    assert TrainState.read(path, "run", 4) is None
    path.unlink()
    assert TrainState.read(path, "run", 4) is None


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    corpus, model = tiny_corpus(tmp_path), tiny_model()
    model.weights.fill_(1e30)
    with pytest.raises(TuningError) as refused:
        train(model, corpus.train, tiny_settings())
    assert refused.value.code == "not-finite"


def test_less_than_one_window_is_refused(tmp_path: Path) -> None:
    corpus = tiny_corpus(tmp_path, texts=12)
    settings = tiny_settings()
    wide = type(settings)(6, 4, 100_000, 1e-3, settings.schedule, seed=0)
    for call in (
        lambda: train(tiny_model(), corpus.train, wide),
        lambda: held_out_loss(tiny_model(), corpus.held_out, 100_000),
    ):
        with pytest.raises(TuningError) as refused:
            call()
        assert refused.value.code == "too-little-text"


def test_a_site_without_room_is_told_before_it_starts(tmp_path: Path) -> None:
    model: FlatModel = tiny_model()
    need = needed(model.lm.config, model.size, tiny_settings())
    assert need.memory > 4 * 4 * model.size and need.disk > 4 * model.size
    check_room(need, tmp_path / "not" / "there")
    with pytest.raises(TuningError) as memory:
        check_room(Need(1 << 60, 0), tmp_path)
    assert memory.value.code == "no-memory"
    with pytest.raises(TuningError) as disk:
        check_room(Need(0, 1 << 60), tmp_path)
    assert disk.value.code == "no-disk"
