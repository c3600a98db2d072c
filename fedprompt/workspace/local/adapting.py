"""``adapt``: shared prompts for a home with few labelled cases, or none. Nothing leaves; the result is the bank's.

The pack's prompts answer each case, a weight for each and a bias for each label are fitted to the answers, and the
whole is kept as one adapted prompt, ``STUDY@NAME``. What members said of a case lies in the site's folder, so that a
run that was stopped goes on, and one with more cases asks for the new ones alone.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.calibration import Calibration
from fedprompt.adapting.class_bias import centred
from fedprompt.adapting.combining import pooled
from fedprompt.adapting.few_shot import FewShot
from fedprompt.adapting.fitting import Fitted, MemberKind, fit
from fedprompt.adapting.label_shift import unlabelled_bias
from fedprompt.adapting.settings import AtN
from fedprompt.bank.tags import split_tag
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.statistics.pairs import PairCounts, paired_difference
from fedprompt.prompts.adapted import Adapted
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.acting import needs
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.cases.one_cut import cutter_of
from fedprompt.workspace.cases.site_of_file import contents_digest
from fedprompt.workspace.exchange.pack import Pack, read_pack
from fedprompt.workspace.local.adapt_result import AdaptMember, AdaptResult, Difference, measured
from fedprompt.workspace.local.asking import Asking
from fedprompt.workspace.local.by_itself import LEAST_FOLDS, all_shown, by_encoder, by_showing
from fedprompt.workspace.local.home_cases import HomeCases, home_cases
from fedprompt.workspace.local.out_of_fold import Asked, Judged, folds_of, judged
from fedprompt.workspace.local.ready_pack import ReadyPack, ready_pack
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.results.worth import nearest
from fedprompt.workspace.workspace import Workspace

__all__ = ["adapt", "keep_adapted"]

LEAST_WEIGHT = 0.01  # below it a prompt that shows cases is not worth its time
HEAD = "head"
MOST_HEAD = 0.999  # of the whole, so that there is a prompt whose text is shown
TEXTS_PULL = 64.0  # how many texts the donors' class shares count as


@needs("tune")
def adapt(
    ws: Workspace,
    *,
    pack: str | Path,
    study: Path | None = None,
    data: Path | None = None,
    unlabelled: Path | None = None,
    name: str = "home",
    words: Mapping[str, str] | None = None,
    columns: Columns = BY_NAME,
    show: bool = True,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> AdaptResult:
    """Adapt a pack's prompts to a home's own cases, and keep the result in the bank as ``STUDY@NAME``.

    Args:
        ws: the workspace.
        pack: ``public:NAME``, or a release's folder or zip.
        study: the study that the pack is to belong to; what the bank knows of it, or the pack alone, if None.
        data: a file of labelled cases; none are needed.
        unlabelled: a file of texts of the home's own work, whose class shares are estimated where no case says them.
        name: what the result is called behind the study's name and ``@``.
        words: what the file calls a class -> the pack's name of it.
        columns: what was said of the files' columns.
        show: whether a prompt that shows some of the cases may be a part of it, which then holds them.
        report: hears how far it is, and how long it takes as soon as the first cases were timed.
        stop: looked at between two batches; what was computed is kept, and the next run goes on from it.

    Raises:
        FedPromptError: the pack, a file, the model or the name cannot be used; says what to do.
    """
    began = time.monotonic()
    report(Progress("adapt", "reading the pack"))
    _, shown = split_tag(f"study@{name}")  # refused before anything is computed
    file = read_pack(ws, pack, study)
    known = file.pack
    home = home_cases(
        data,
        unlabelled,
        fields=known.fields,
        labels=known.labels,
        columns=columns,
        words=words,
        known=file.texts,
    )
    report(Progress("adapt", f"loading {file.model_name}"))
    stop.check()
    ready = ready_pack(ws, file)  # after the files, so that what is wrong with them is told at once
    folder = _folder(ws, data)
    asking = Asking(ready, folder, report, stop)
    tables, texts = asking.ask(home)
    notes = list(home.notes)
    learnt = 0 if home.alike else len(home.cases)
    settings = known.settings.for_n(learnt)
    if settings.own or settings.method in ("alone", "finished"):
        notes.append(
            "at other sites, a prompt tuned on this many own cases was better. 'adapt' tunes no prompt, so "
            "also try 'fedprompt tune'"
        )
    towards = np.array(known.weights)
    bias0 = _bias_without_labels(known, texts, towards, learnt=learnt > 0)
    home_ways = _HomeWays(ws, ready, home, folder, asking, notes, show, stop)
    fitted, seen = _fitted(settings, tables, home_ways, towards, bias0)
    showing = home_ways.shown(fitted)
    adapted = _adapted(ready, fitted, showing)
    at = nearest(known.curve, learnt)
    kinds: dict[str, str] = {one.prompt: one.kind for one in known.members}
    named = _names(ready)
    if adapted.shown and showing is not None:
        kinds[showing.prompt.id] = "shown"
        named[showing.prompt.id] = f"{len(adapted.shown)} of your cases shown"
        notes.append(
            f"it shows {len(adapted.shown)} of your cases as examples, so it cannot be exported; '--no-show' "
            "makes one without cases"
        )
    ids = [*adapted.member_ids, *(() if adapted.head is None else (adapted.head.id,))]
    weighed = sorted(zip(ids, adapted.all_weights, strict=True), key=lambda one: -one[1])
    result = AdaptResult(
        adapted=adapted.id,
        name=f"{known.study}@{shown}",
        study=known.study,
        digest=known.digest,
        pack=known.id,
        source=str(pack),
        donors=known.donors,
        n=len(home.cases),
        counts=home.counts,
        unlabelled=len(home.texts),
        method=fitted.method,
        alone=None if seen is None else seen.alone,
        alone_by=None if seen is None else seen.alone_by,
        shared=None if seen is None else seen.shared,
        difference=None if seen is None else _difference(seen),
        members=tuple(AdaptMember(id, named.get(id, HEAD), kinds.get(id, HEAD), weight) for id, weight in weighed),
        bias=dict(zip(adapted.labels, adapted.bias, strict=True)),
        words=home.words,
        curve=known.curve,
        at=at,
        notes=tuple(notes),
        sentence=_told(home, seen),
        sentences=(_told(home, seen), *(() if at is None else (measured(at, public=bool(known.source)),))),
        tokens=asking.tokens,
        cached=asking.cached,
        clipped=asking.clipped,
        seconds=round(time.monotonic() - began, 3),
        ways={} if seen is None else dict(seen.ways),
        shows=len(adapted.shown),
    )
    about = {
        **as_json(result),
        "settings": settings.model_dump(mode="json"),
        "model": ready.file.model_name,
        "normalise": ready.answer.normalise,
        "prior": ready.answer.prior,
    }
    ws.bank.record_adapted(adapted, name=result.name, study=ready.study, about=about)
    return result


@needs("tune")
def keep_adapted(ws: Workspace, adapted: str, name: str) -> str:
    """Keep an adapted prompt under another name of its study as well; return ``STUDY@NAME``.

    Args:
        ws: the workspace.
        adapted: its name, its id or a beginning of the id.
        name: what stands behind the ``@``.

    Raises:
        BankError: there is no such adapted prompt, or the name is none or is a tag's.
    """
    row = ws.bank.adapted_row(adapted)
    study, _ = split_tag(row.name)
    shown = f"{study}@{name}"
    ws.bank.record_adapted(ws.bank.adapted(row), name=shown, study=row.study, about={**row.about, "name": shown})
    return shown


def _names(ready: ReadyPack) -> dict[str, str]:
    """Return what each member is called: a template by its own name, others by their kind and place among it."""
    found: dict[str, str] = {}
    many = Counter(one.kind for one in ready.file.pack.members)
    for kind in many:
        same = [one.prompt for one in ready.file.pack.members if one.kind == kind]
        found |= {id: f"{kind} {place}" if many[kind] > 1 else str(kind) for place, id in enumerate(same, start=1)}
    return found | {one.id: one.name for one in ready.file.members if one.soft is None}


def _folder(ws: Workspace, data: Path | None) -> SiteFolder:
    folder = cutter_of(ws.home, data).folder
    folder.prepare()
    return folder


@dataclass(frozen=True)
class _HomeWays:
    """What a home's cases are asked with beside the pack's prompts; ``notes`` are sentences for people."""

    ws: Workspace
    ready: ReadyPack
    home: HomeCases
    folder: SiteFolder
    asking: Asking
    notes: list[str]
    show: bool
    stop: StopToken

    def asked(self, tables: NDArray[np.float64], folds: NDArray[np.int64]) -> Asked:
        """Return what was said of each case, by the pack's prompts and by what the home does by itself."""
        shown = encoded = None
        if len(np.unique(folds)) >= LEAST_FOLDS:
            shown = by_showing(self.ready, self.home, folds, self.folder.scores, self.notes, self.asking, self.stop)
            encoded = by_encoder(self.ws, self.home, folds, tables.shape[2], self.notes)
        return Asked(tables, _kinds(self.ready), shown, encoded, joins=self.show)

    def shown(self, fitted: Fitted) -> FewShot | None:
        """Return the prompt that shows cases; None where it counts for nothing."""
        if len(fitted.weights) == len(_kinds(self.ready)) or fitted.weights[-1] < LEAST_WEIGHT:
            return None
        return all_shown(self.ready, self.home, self.folder.scores, self.stop)


def _kinds(ready: ReadyPack) -> list[MemberKind]:
    kinds: list[MemberKind] = ["template" if one.soft is None else "shared" for one in ready.file.members]
    return kinds if ready.file.pack.head is None else [*kinds, "shared"]


def _fitted(
    settings: AtN,
    tables: NDArray[np.float64],
    ways: _HomeWays,
    towards: NDArray[np.float64],
    bias0: NDArray[np.float64] | None,
) -> tuple[Fitted, Judged | None]:
    """Return weights and bias for all cases, and how many are right out of fold; None where they cannot be cut."""
    home = ways.home
    kinds: Sequence[MemberKind] = _kinds(ways.ready)
    if home.alike:
        if home.cases:
            only = ways.ready.file.pack.labels[int(home.answers[0])]
            ways.notes.append(
                f"all cases have the label '{only}', so they show nothing about the other labels. The shared "
                "prompts are used as without cases"
            )
        none = np.zeros(0, dtype=np.int64)
        return fit(settings, tables[:, :0], none, towards, kinds=kinds, bias0=bias0), None
    seed = int(contents_digest(ways.folder, home.cases)[:16], 16)
    folds = folds_of(home.answers, np.random.default_rng(seed), home.groups)
    if folds is None:
        return fit(settings, tables, home.answers, towards, kinds=kinds, bias0=bias0), None
    asked = ways.asked(tables, folds)
    mixed, kinds = asked.members()
    fitted = fit(settings, mixed, home.answers, asked.weights(towards), kinds=kinds, bias0=bias0)
    return fitted, judged(settings, asked, home.answers, towards, folds, bias0)


def _adapted(ready: ReadyPack, fitted: Fitted, showing: FewShot | None) -> Adapted:
    """Return the adapted prompt; what calibrates the prompt that shows cases is part of the bias, by its weight.

    After the members comes the pack's head, where it has one, and then the prompt that shows cases.
    """
    pack, members, bias = ready.file.pack, ready.file.members, tuple(fitted.bias.tolist())
    known = len(members)
    head, part = (None, 0.0) if pack.head is None else (pack.head.made, min(float(fitted.weights[known]), MOST_HEAD))
    weights = fitted.weights[:known]
    if showing is not None:
        members, weights = (*members, showing.prompt), np.append(weights, fitted.weights[-1])
    elif weights.sum() < 1 - MOST_HEAD:
        weights = np.array(pack.shares_of_members)
    shares = tuple((weights / weights.sum()).tolist())
    shown = () if showing is None else showing.shown
    whole = Adapted(members, shares, pack.labels, bias, shown, head, part).pruned()
    if showing is None:
        return whole
    weight = whole.all_weights[whole.member_ids.index(showing.prompt.id)]
    return replace(whole, bias=tuple(centred(fitted.bias + weight * showing.bias).tolist()))


def _bias_without_labels(
    pack: Pack, texts: NDArray[np.float64] | None, towards: NDArray[np.float64], *, learnt: bool
) -> NDArray[np.float64] | None:
    """Return the bias that unlabelled texts call for, or without a text the donors' calibration; None without both.

    Args:
        texts: [members, texts, labels] log-probabilities.
        learnt: whether a bias is learnt from labelled cases, which the donors' calibration then does not stand for.
    """
    if texts is None and (pack.calibration is None or learnt):
        return None
    labels = len(pack.labels)
    calibration = pack.calibration or Calibration(temperature=1.0, bias=(0.0,) * labels)
    source = np.full(labels, 1 / labels) if pack.shares is None else np.array(pack.shares)
    table = np.zeros((0, labels)) if texts is None else pooled(texts, towards)
    return unlabelled_bias(table, calibration, source, pull=TEXTS_PULL)


def _difference(seen: Judged) -> Difference | None:
    if seen.alone is None:
        return None
    found = paired_difference([PairCounts(seen.cases, seen.better, seen.worse)], np.random.default_rng(0))
    assert found is not None
    return Difference(found.value, found.low, found.high, seen.told_apart)


def _told(home: HomeCases, seen: Judged | None) -> str:
    """Return what it comes to on the home's own cases."""
    if seen is not None:
        return seen.sentence
    if home.cases:
        return "You have too few cases, or too similar ones, to measure the accuracy of the shared prompts."
    return "Without labelled cases, the accuracy of the shared prompts here is unknown."
