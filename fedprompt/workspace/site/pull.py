"""``site pull``: takes a release, checks whose it is, scores it on the site's own cases, and keeps it for its own app.

A pack of shared prompts in it is kept under the study's name, for ``adapt``; a site that only receives needs no case
for that. Packs that the release supersedes are never taken again. Nothing leaves: what is scored here stays in this
home's bank.
"""

import hashlib
import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from fedprompt.errors import ExportError, FederationError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.runs.runner import compare_runs, run_prompts, to_score
from fedprompt.evaluation.statistics.clusters import cluster_variance
from fedprompt.evaluation.statistics.pairs import PairCounts, paired_difference
from fedprompt.models.registry import load
from fedprompt.private_file import write_private
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.origins import FEDERATED, STUDY
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.judge_calls import recorded
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.score import Comparison
from fedprompt.trust.signing import site_identity
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.bills.judge_bill import judge_paid
from fedprompt.workspace.bills.paid import ModelPaid
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.cases.one_cut import cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled
from fedprompt.workspace.exchange.accepted_releases import accept_release, check_release
from fedprompt.workspace.exchange.kept_packs import keep_pack, supersede, superseded_by
from fedprompt.workspace.exchange.release import MAX_RELEASE_BYTES, Opened, Release, read_release
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.results.points import points
from fedprompt.workspace.site.permitted import permitted
from fedprompt.workspace.workspace import Workspace

__all__ = ["PulledDifference", "PulledScore", "ReleasePulled", "keep_release", "site_pull"]

MOST_KEPT = 20


@dataclass(frozen=True)
class PulledScore:
    """A prompt's mean over ``n`` validation cases; None where none could be scored."""

    prompt: str
    name: str
    n: int
    value: float | None


@dataclass(frozen=True)
class PulledDifference:
    """A difference of means with its 95 % interval, and whether that excludes zero."""

    value: float
    low: float
    high: float
    distinguishable: bool


@dataclass(frozen=True)
class ReleasePulled:
    """A release and what it is worth here; ``results`` have the best first, and ``best`` is the best template's id.

    ``difference`` is of the released prompt and that template, None where they are one. Without a file of cases
    nothing is scored: ``run`` and ``best`` are None. ``pack`` is the id of the shared prompts and ``pack_name`` what
    finds them, ``to_adapt`` the adapted prompts of this home that were made of a pack which this release supersedes.
    """

    site: str
    federation: str
    study: str
    digest: str
    run: str | None
    released: str
    number: int
    signer: str
    prompts: Mapping[str, str]
    results: tuple[PulledScore, ...]
    best: str | None
    difference: PulledDifference | None
    judge: ModelPaid | None
    pack: str | None
    pack_name: str | None
    to_adapt: tuple[str, ...]
    sentence: str


def keep_release(site: EnrolledSite, data: bytes) -> Path:
    """Keep a release that the hub handed over, once it was checked; a file, mode 0600.

    Raises:
        FederationError, ExportError: it is not one of this site's federation, or an old one; nothing is kept.
    """
    if len(data) > MAX_RELEASE_BYTES:
        raise ExportError(
            f"a release larger than {MAX_RELEASE_BYTES:,} bytes arrived and was not saved", code="too-large"
        )
    folder = _received(site)
    folder.mkdir(mode=0o700, exist_ok=True)
    temporary = folder / f".{os.getpid()}.zip"
    write_private(temporary, data)
    try:
        release = read_release(temporary, federation=site.about["federation"], kit=site.kit).release
        check_release(site, release)
        _supersede(site, release)
        path = folder / f"n{release.number:016d}-{hashlib.sha256(data).hexdigest()}.zip"
        os.replace(temporary, path)
        accept_release(site, release)
    finally:
        temporary.unlink(missing_ok=True)
    for old in _newest(site)[MOST_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def site_pull(
    ws: Workspace,
    data: Path | None,
    *,
    file: Path | None = None,
    number: int | None = None,
    columns: Columns = BY_NAME,
    site: str | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> ReleasePulled:
    """Check a release, score its prompts and the study's templates on this site's validation cases, and keep all.

    Args:
        data: the site's file of cases, as ``site run`` takes it; where the release holds a pack, None keeps it and
            scores nothing.
        file: the release; the newest one that the hub handed over if None.
        number: take the release of this number though a newer one was accepted before.

    Raises:
        FederationError: no release came, or it is of another federation, signed by somebody else, or an old one.
        StudyError: this site did not accept its study.
        ExportError, DataError, ModelError: says where and what to do.
    """
    chosen = enrolled(ws.home, site)
    if not chosen.kit.exists():
        raise FederationError(
            f"'{chosen.name}' has not joined yet, so it cannot check a release's signature; join first",
            code="not-joined",
        )
    opened, path = _opened(chosen, file, number)
    if data is None:
        return _kept_unscored(ws, chosen, opened, path)
    accepted = chosen.the_study(opened.release.study)
    study = accepted.study
    pulled = _kept(ws, chosen, opened, path, study.study)
    permitted(ws.home, chosen.folder.policy, study)
    report(Progress("prepare", f"loading {study.model}"))
    model = load(study.model, ws.home.path)
    splits = cutter_of(ws.home, data, chosen.name).cut(study, cases_of(data, study, columns))
    cases = splits.cases("validation")
    if not cases:
        raise FederationError(
            f"{data}: the validation split is empty, so the release cannot be scored here", code="empty-split"
        )
    templates = [Prompt(template) for template in study.candidates()]
    released = [opened.prompts[id].prompt for id in dict.fromkeys(opened.release.prompts.values())]
    prompts = list({prompt.id: prompt for prompt in (*released, *templates)}.values())

    def tell(done: int, total: int) -> None:
        report(Progress("score", f"{len(prompts)} prompts on {len(cases)} cases", done, total))

    bill = partial(chosen.folder.bill.add, accepted.digest, "judge")
    resources = recorded(scorer_resources(ws.home.path), chosen.folder.ledger, accepted.digest, hear=bill)
    runs, _ = run_prompts(model, prompts, cases, study.answer, splits.tune, tell, resources=resources, stop=stop)
    scores = {run.prompt.id: to_score(run, cases, "validation", study.answer) for run in runs}
    values = {id: score.value for id, score in scores.items()}
    best = max(templates, key=lambda one: (values[one.id] or 0.0, -templates.index(one)))
    nominated = opened.release.prompts.get("federated", opened.release.prompts["manual"])
    by_id = {run.prompt.id: run for run in runs}
    pair = None if nominated == best.id else compare_runs(by_id[nominated], by_id[best.id], cases, "validation")
    ws.bank.register_site(chosen.name, site_identity(chosen.folder.key))
    ws.bank.record_study(study, accepted.digest, model.info.digest)
    _record(ws, opened, templates, accepted.digest)
    asked = [opened.release.run, opened.release.bundle, str(data), time.time_ns()]
    run = content_id("r1", canonical_json({"kind": "pull", "study": accepted.digest, "of": asked}))
    ws.bank.start_run(run, kind="pull", study=accepted.digest, settings={"release": opened.release.run})
    ws.bank.record_scores(run, chosen.name, list(scores.values()))
    if pair is not None:
        ws.bank.record_comparisons(run, chosen.name, [pair])
    result = replace(
        pulled,
        run=run,
        results=tuple(
            PulledScore(p.id, p.name, scores[p.id].n, values[p.id])
            for p in sorted(prompts, key=lambda one: -(values[one.id] or 0.0))
        ),
        best=best.id,
        difference=None if pair is None else _difference(pair, study.metric),
        judge=judge_paid(ws.home.path, study, [resources]),
    )
    told = [_sentence(result, nominated, best, len(cases)), *_pack_sentences(result)]
    result = replace(result, sentence=". ".join(told))
    ws.bank.finish_run(run, as_json(result))
    return result


def _kept_unscored(ws: Workspace, site: EnrolledSite, opened: Opened, path: Path) -> ReleasePulled:
    """Keep what a release shares, at a site that has no case to score it on.

    Raises:
        FederationError: it shares nothing.
    """
    if opened.pack is None:
        raise FederationError(
            f"{path}: this release has no pack of shared prompts, so it needs your cases; give your file with "
            "--data FILE",
            code="nothing-shared",
        )
    pulled = _kept(ws, site, opened, path, opened.pack.pack.study)
    return replace(pulled, sentence=". ".join(_pack_sentences(pulled)))


def _kept(ws: Workspace, site: EnrolledSite, opened: Opened, path: Path, study: str) -> ReleasePulled:
    """Accept a release and keep what it shares; return what is known of it before anything is scored."""
    release = opened.release
    accept_release(site, release)
    name, stale = _keep_pack(ws, site, opened, path)
    return ReleasePulled(
        site=site.name,
        federation=release.federation,
        study=study,
        digest=release.study,
        run=None,
        released=release.made,
        number=release.number,
        signer=opened.signer,
        prompts={str(name): prompt for name, prompt in release.prompts.items()},
        results=(),
        best=None,
        difference=None,
        judge=None,
        pack=None if opened.pack is None else opened.pack.pack.id,
        pack_name=name,
        to_adapt=stale,
        sentence="",
    )


def _keep_pack(ws: Workspace, site: EnrolledSite, opened: Opened, path: Path) -> tuple[str | None, tuple[str, ...]]:
    """Keep a release's pack; return the name that finds it, and the adapted prompts that a superseded one made."""
    _supersede(site, opened.release)
    federation = opened.release.federation
    adapted = [(row.name, str(row.about.get("pack"))) for row in ws.bank.all_adapted()]
    stale = tuple(name for name, pack in adapted if superseded_by(ws.home, pack, federation) is not None)
    if opened.pack is None or superseded_by(ws.home, opened.pack.pack.id, federation) is not None:
        return None, stale
    if path.is_dir():
        raise FederationError(
            f"{path}: a pack is saved as the file that the hub signed; give the release's zip file", code="not-a-file"
        )
    return keep_pack(ws.home, path.read_bytes(), study=opened.pack.pack.study, federation=federation), stale


def _supersede(site: EnrolledSite, release: Release) -> None:
    supersede(site.home, release.superseded, federation=release.federation, number=release.number)


def _pack_sentences(found: ReleasePulled) -> list[str]:
    """Return what is to be done with the shared prompts, in sentences without their last full stop."""
    told = []
    if found.pack_name is not None:
        told.append(
            "The release contains shared prompts; use them with 'fedprompt adapt --pack "
            f"{shlex.quote(found.pack_name)}'"
        )
    elif found.pack is not None:
        told.append("A newer release replaces these shared prompts, so they are not saved")
    if found.to_adapt:
        told.append(
            "These adapted prompts come from a replaced pack, because a contributing site has left: "
            f"{', '.join(found.to_adapt)}; adapt again with the newer pack"
        )
    return told


def _difference(pair: Comparison, metric: str) -> PulledDifference:
    if metric == "accuracy":
        found = paired_difference([PairCounts(pair.n, pair.better, pair.worse)], np.random.default_rng(0))
        assert found is not None
        return PulledDifference(found.value, found.low, found.high, found.excludes_zero)
    value = pair.total / pair.n
    half = -float(ndtri(0.025)) * (cluster_variance(pair.n, pair.groups, pair.group_squares) or 0.0) ** 0.5
    return PulledDifference(value, value - half, value + half, abs(value) > half)


def _record(ws: Workspace, opened: Opened, templates: list[Prompt], digest: str) -> None:
    for template in templates:
        ws.bank.record_prompt(template, study=digest, origin=STUDY.key)
    release = opened.release
    notes = {"release": {"federation": release.federation, "run": release.run, "made": release.made}}
    for kind, id in release.prompts.items():
        if kind == "federated":
            found = opened.prompts[id]
            ws.bank.record_prompt(found.prompt, study=digest, origin=FEDERATED.key, notes={**found.notes, **notes})


def _sentence(found: ReleasePulled, nominated: str, best: Prompt, cases: int) -> str:
    values = {row.prompt: row.value or 0.0 for row in found.results}
    told = (
        f"on {cases} validation cases of '{found.site}', the released prompt has an accuracy of "
        f"{100 * values[nominated]:.1f} %"
    )
    difference = found.difference
    if difference is None:
        return f"{told}; it is the best template here"
    told += f", and the best template here ('{best.name}') {100 * values[best.id]:.1f} %"
    change, span = points(difference.value), f"{points(difference.low)} to {points(difference.high)}"
    if not difference.distinguishable:
        return f"{told}. The difference of {change} points ({span}) is not significant"
    word = "better" if difference.value > 0 else "worse"
    return f"{told}. The difference is {change} points ({span}), so the released prompt is {word} here"


def _received(site: EnrolledSite) -> Path:
    return site.folder.path / "releases"


def _newest(site: EnrolledSite) -> list[Path]:
    """Return what was received, the highest number first; files of older versions have none in their name."""
    found = list(_received(site).glob("n*-*.zip"))
    older = sorted(_received(site).glob("[0-9a-f]*.zip"), key=lambda path: -path.stat().st_mtime_ns)
    return [*sorted(found, reverse=True), *older]


def _opened(site: EnrolledSite, file: Path | None, number: int | None) -> tuple[Opened, Path]:
    """Return the release to take, and where it lies: the file, or of those handed over the newest or that number's."""
    federation = site.about["federation"]
    files = _newest(site) if file is None else [file]
    for path in files:
        opened = read_release(path, federation=federation, kit=site.kit)
        if file is not None or number in (None, opened.release.number):
            check_release(site, opened.release, number)
            return opened, path
    told = f"release number {number}" if files else "release"
    raise FederationError(
        f"'{site.name}' has no {told} yet; ask the hub's operator for the file, or for 'fedprompt hub "
        "release --send' while 'fedprompt site run' is running here",
        code="no-release",
    )
