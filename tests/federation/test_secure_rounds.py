"""Rounds with secure sums give what plain rounds give, to the quantisation step, and the hub sees no update apart."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import FederationError, SiteRefused
from fedprompt.federation.hub import Hub
from fedprompt.federation.kept_sums import InMemory, SumStep
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.prompts.tensors import Tensors
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.private_answers import charges_of
from fedprompt.site.tally import Tally
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.trust.signing import site_identity
from fedprompt.tuning.tunables.registry import tunable_of
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.sums.update import SumTuneTask
from fedprompt.verbs.tune import ask_tune
from fedprompt.verbs.wire import pack_task, unpack_task
from fedprompt.workspace.cases.site_of_file import split_cases
from tests import scripted_sites
from tests.coded import coded
from tests.scripted_sites import MODEL

SITES = ("bank", "clinic", "court", "desk", "farm")
IDENTITIES = {name: site_identity(name.encode().ljust(32, b".")) for name in SITES}


SPLITS = {"tune": 0.4, "validation": 0.3, "test": 0.3}  # so that sites weigh differently


def study_with(**rounds: Any) -> Study:
    """Return the small study with secure sums among the five sites."""
    sums = {"sites": IDENTITIES, **rounds.pop("secure_sums", {})}
    return scripted_sites.study(rounds={"secure_sums": sums, **rounds}, splits=SPLITS)


class SameOrder(Drawing):
    """A site draws its cases in one order in whatever study, so that two studies can be compared."""

    def rng(self, study: str, number: int) -> np.random.Generator:
        return super().rng("any study", number)


def workers_of(path: Path, study: Study) -> dict[str, Worker]:
    """Return workers of sites of different sizes, whose folders lie in ``path``."""
    found = {}
    for place, name in enumerate(SITES):
        folder = SiteFolder(path / name)
        folder.prepare(name.encode().ljust(32, b"."))
        splits = split_cases(folder, study, scripted_sites.cases(name, 70 + 20 * place))
        drawing = SameOrder(folder.key)
        found[name] = Worker(name=name, folder=folder, study=study, model=MODEL, splits=splits, drawing=drawing)
    return found


class Written:
    """A writer that keeps rounds in memory."""

    def __init__(self) -> None:
        self.records: list[RoundRecord] = []

    def written(self) -> Sequence[RoundRecord]:
        return list(self.records)

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        pass

    def write(self, record: RoundRecord) -> None:
        self.records.append(record)


class Between:
    """A transport that looks at each task before a site does; ``away`` raises where the site does not answer."""

    concurrent = False

    def __init__(self, workers: Mapping[str, Worker], away: Callable[[str, str, int], bool]) -> None:
        self._inner, self._away = LocalTransport({name: one.handle for name, one in workers.items()}), away
        self.verbs: list[tuple[str, str]] = []

    @property
    def sites(self) -> tuple[str, ...]:
        return self._inner.sites

    def ask(self, site: str, task: bytes) -> Delivered:
        message = unpack_task(task).message
        self.verbs.append((site, message.verb))
        if self._away(site, message.verb, getattr(message, "round", 0)):
            raise FederationError(f"site '{site}' does not answer", code="no-answer")
        return self._inner.ask(site, task)


def nobody(site: str, verb: str, round: int) -> bool:
    return False


def start_of(study: Study) -> Tensors:
    tunable = tunable_of(study)
    assert tunable is not None
    return tunable.start(MODEL, study)


def run(
    path: Path,
    study: Study,
    away: Callable[[str, str, int], bool] = nobody,
    writer: Written | None = None,
    sums: InMemory | None = None,
) -> tuple[RoundRecord, ...]:
    """Run the rounds of a study at the five sites, whose folders lie in ``path``."""
    hub = Hub(Between(workers_of(path, study), away), study.digest(MODEL.info.digest), held_to=study)
    for name in SITES:
        ask_describe(hub, name)
    return run_rounds(
        hub,
        study.tuned_template(),
        start_of(study),
        rounds=study.rounds,
        tuning=study.tuning,
        seed=0,
        writer=writer or Written(),
        sums=sums,
    )


def vectors(records: Sequence[RoundRecord]) -> list[np.ndarray]:
    found = []
    for record in records:
        assert record.prompt.tuned is not None
        found.append(record.prompt.tuned.values)
    return found


def test_rounds_are_those_of_plain_rounds_to_the_quantisation_step(tmp_path: Path) -> None:
    secure = run(tmp_path / "secure", study_with(max_weight=1.1))
    plain = run(tmp_path / "plain", scripted_sites.study(rounds={"max_weight": 1.1}, splits=SPLITS))
    assert [record.tuned for record in secure] == [SITES, SITES]
    for one, other in zip(vectors(secure), vectors(plain), strict=True):
        assert np.abs(one - other).max() < 1e-6
        assert np.abs(one - vectors(secure)[0]).max() < 10  # and they are no masks


@pytest.mark.parametrize("variant", ["fedavg", "alternating"])
def test_an_adapter_is_summed_as_a_soft_prompt_is(tmp_path: Path, variant: str) -> None:
    def moving(**rounds: Any) -> Study:
        found = study_with(count=2, **rounds) if rounds else scripted_sites.study(splits=SPLITS)
        body = found.model_dump(mode="json", exclude={"soft"})
        return Study.model_validate({**body, "tunable": {"lora": {"rank": 2, "targets": ["mix"], "variant": variant}}})

    secure, plain = run(tmp_path / "secure", moving(quorum=5)), run(tmp_path / "plain", moving())
    for one, other in zip(vectors(secure), vectors(plain), strict=True):
        assert one.ndim == 1 and np.abs(one - other).max() < 1e-6


@pytest.mark.parametrize("step", ["sum-keys", "sum-shares", "sum-tune", "sum-confirm", "sum-unmask"])
def test_a_site_may_stay_away_at_any_step(tmp_path: Path, step: str) -> None:
    study = study_with(quorum=3, count=1)

    def away(site: str, verb: str, round: int) -> bool:
        order = ("sum-keys", "sum-shares", "sum-tune", "sum-confirm", "sum-unmask")
        return site in ("clinic", "farm") and verb in order[order.index(step) :]

    (record,) = run(tmp_path, study, away)
    late = step in ("sum-confirm", "sum-unmask")
    assert record.tuned == (SITES if late else ("bank", "court", "desk"))
    assert {one.site for one in record.missing if one.step != "evaluate"} == {"clinic", "farm"}
    plain = run(
        tmp_path / "plain",
        scripted_sites.study(rounds={"count": 1, "quorum": 3}, splits=SPLITS),
        lambda site, verb, _: verb == "tune" and not late and site in ("clinic", "farm"),
    )
    assert np.abs(vectors([record])[0] - vectors(plain)[0]).max() < 1e-6


class Killed(Exception):
    """The hub's process ends."""


class KilledAt(InMemory):
    """A keeper whose process ends once a step was kept."""

    def __init__(self, step: SumStep) -> None:
        super().__init__()
        self._step: SumStep | None = step

    def keep(self, number: int, step: SumStep, body: Mapping[str, Any]) -> None:
        super().keep(number, step, body)
        if step == self._step:
            self._step = None
            raise Killed


@pytest.mark.parametrize("step", ["keys", "shares", "masked", "confirmed"])
def test_a_hub_that_ends_at_any_step_goes_on_with_the_same_cohort(tmp_path: Path, step: SumStep) -> None:
    study, keeper, writer = study_with(quorum=3, count=1), KilledAt(step), Written()
    with pytest.raises(Killed):
        run(tmp_path / "once", study, writer=writer, sums=keeper)
    # Some were away when it ended, and are back: they are asked for what they have not answered.
    again = run(tmp_path / "once", study, writer=writer, sums=keeper)
    whole = run(tmp_path / "whole", study)
    assert [record.prompt.id for record in again] == [record.prompt.id for record in whole]


def test_a_hub_that_ends_between_two_answers_of_a_step_gets_the_same_bytes_again(tmp_path: Path) -> None:
    study, keeper, writer = study_with(count=1), InMemory(), Written()
    counts = {"n": 0}

    def ends(site: str, verb: str, round: int) -> bool:
        counts["n"] += 1
        if counts["n"] in (8, 13, 17, 26, 35, 44):
            raise Killed
        return False

    for _ in range(7):
        try:
            records = run(tmp_path / "once", study, ends, writer, keeper)
        except Killed:
            continue
        break
    assert [one.prompt.id for one in records] == [one.prompt.id for one in run(tmp_path / "whole", study)]


def test_fewer_sites_than_the_least_cohort_end_the_round(tmp_path: Path) -> None:
    with pytest.raises(FederationError, check=coded("too-few-answers", "cohort-too-small")):
        run(tmp_path, study_with(quorum=3), lambda site, verb, _: verb == "sum-tune" and site > "clinic")


def test_a_hub_gets_no_update_by_itself_of_a_study_with_secure_sums(tmp_path: Path) -> None:
    study = study_with()
    hub = Hub(Between(workers_of(tmp_path, study), nobody), study.digest(MODEL.info.digest))
    with pytest.raises(SiteRefused, check=coded("not-allowed")):
        ask_tune(hub, "clinic", start_of(study).values, round=1, steps=2, seed=0)


def test_a_site_on_a_machine_of_its_own_takes_no_part_where_the_study_names_no_sites(tmp_path: Path) -> None:
    study = scripted_sites.study(rounds={"secure_sums": True, "count": 1})
    with pytest.raises(FederationError, check=coded("too-few-answers")):
        run(tmp_path, study)


def test_sites_that_are_not_those_of_the_study_are_refused_before_any_is_asked(tmp_path: Path) -> None:
    some = {name: IDENTITIES[name] for name in SITES[:4]}
    with pytest.raises(FederationError, check=coded("unknown-site", names="farm")):
        run(tmp_path, scripted_sites.study(rounds={"secure_sums": {"sites": some}}))


class Hostile(Between):
    """A hub that tells most sites of another start, or of other weights, so that one site's update would stand out."""

    def __init__(self, workers: Mapping[str, Worker], twisted: str) -> None:
        super().__init__(workers, nobody)
        self._twisted = twisted

    def ask(self, site: str, task: bytes) -> Delivered:
        parcel = unpack_task(task)
        if isinstance(parcel.message, SumTuneTask) and site != "clinic":
            arrays, message = dict(parcel.arrays), parcel.message
            if self._twisted == "start":
                arrays["start"] = np.zeros_like(arrays["start"])
            else:
                message = message.model_copy(update={"most": 10**6})
            task = pack_task(message, arrays)
        return super().ask(site, task)


@pytest.mark.parametrize("twisted", ["start", "weights"])
def test_a_hub_that_tells_sites_of_different_starts_or_weights_gets_no_sum(tmp_path: Path, twisted: str) -> None:
    study = study_with(count=1)
    hub = Hub(Hostile(workers_of(tmp_path, study), twisted), study.digest(MODEL.info.digest), held_to=study)
    with pytest.raises(FederationError, check=coded("too-few-answers", "cohort-differs", "wrong-sum")):
        run_rounds(
            hub,
            study.tuned_template(),
            start_of(study),
            rounds=study.rounds,
            tuning=study.tuning,
            seed=0,
            writer=Written(),
        )


def private_study() -> Study:
    """Return a study with secure sums, a bound on weights and a budget of privacy, all together."""
    body = study_with(count=1, quorum=3, max_weight=1.1).model_dump(mode="json")
    body |= {
        "templates": body["templates"][:2],
        "privacy": {"min_cases": 10},
        "dp": {"epsilon": 8, "cases": 30, "delta": 0.001},
    }
    return Study.model_validate(body)


def charged(path: Path) -> dict[str, dict[tuple[float, float], int]]:
    """Return site -> what its cases have answered, by noise and rate."""
    found: dict[str, dict[tuple[float, float], int]] = {}
    for name in SITES:
        folder = SiteFolder(path / name)
        for one in charges_of(Tally(folder.ledger, folder.replies)):
            of = found.setdefault(name, {})
            of[one.event.noise, one.event.rate] = of.get((one.event.noise, one.event.rate), 0) + one.event.count
    return found


def test_a_budget_of_privacy_beside_is_charged_once_however_often_the_hub_ends(tmp_path: Path) -> None:
    study, keeper, writer = private_study(), KilledAt("masked"), Written()
    with pytest.raises(Killed):
        run(tmp_path / "once", study, writer=writer, sums=keeper)
    (again,) = run(tmp_path / "once", study, writer=writer, sums=keeper)
    (whole,) = run(tmp_path / "whole", study)
    assert again.tuned == whole.tuned == SITES
    assert set(charged(tmp_path / "once")) == set(SITES)
    assert charged(tmp_path / "once") == charged(tmp_path / "whole")
