"""``privacy audit``: what a prompt tells of the cases it was tuned on, tried by attacks on the site's own machine.

The members are the site's tune cases, the others its validation and test cases, or a file of cases that were not used.
Nothing leaves: the report lies in the site's private folder. Two controls, an overfitted prompt and a noised sum whose
noise is too small, show whether the audit could see a leak here at all; where it could not, it says so.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.auditing.canaries import CHANCE, told_by
from fedprompt.auditing.inversion import picked_out
from fedprompt.auditing.known_others import all_but_one
from fedprompt.auditing.lira import LEAST_SHADOWS, confidence, likelihood_ratio
from fedprompt.auditing.membership import Membership, histogram, membership, roc
from fedprompt.auditing.noised_release import noise_for, released_scores
from fedprompt.auditing.one_run import one_run
from fedprompt.auditing.played import played
from fedprompt.auditing.repeated import repeated
from fedprompt.auditing.told_words import told_words
from fedprompt.auditing.verdict import LEVEL, weigh
from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.evaluation.statistics.intervals import Estimate
from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import load
from fedprompt.models.vocabulary import Worded
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.acting import needs
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.cases.own_cases import OwnCases, own_cases
from fedprompt.workspace.cases.site_of_file import cases_of, contents_digest
from fedprompt.workspace.json_file import now, read_json
from fedprompt.workspace.local.audit_looks import Looks, Shadow
from fedprompt.workspace.local.audit_report import (
    AttackRow,
    AuditReport,
    Bounded,
    ControlRow,
    Picture,
    keep_report,
    report_path,
    sentence_of,
)
from fedprompt.workspace.local.audit_subject import Subject, subject_of
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["SHADOWS", "audit"]

SHADOWS = 8
MOST = 1000  # members, and others; the splits' order is keyed, so the first are any
PLAYS, UPDATES = 300, 20
CLAIMED, DELTA, TOO_SMALL = (
    1.0,
    1e-5,
    50.0,
)  # the noised control: its claim, and how far too small its noise is
Scores = NDArray[np.float64]


@dataclass
class _Found:
    """What the attacks gave so far."""

    rows: list[AttackRow] = field(default_factory=list)
    scores: dict[str, Scores] = field(default_factory=dict)
    controls: list[ControlRow] = field(default_factory=list)
    epsilon: float | None = None
    claimed: float | None = None
    update: Bounded | None = None
    update_guessing: float | None = None
    words: tuple[str, ...] = ()

    @property
    def overspent(self) -> bool:
        """Whether one run rules out the epsilon that the study promises."""
        return self.epsilon is not None and self.claimed is not None and self.epsilon > self.claimed

    def ranked(self, attack: str, scores: Scores, members: NDArray[np.bool_]) -> None:
        """Add an attack that ranks cases."""
        found = membership(scores[members], scores[~members])
        self.scores[attack] = scores
        self.rows.append(_row(attack, found))


@needs("tune")
def audit(
    ws: Workspace,
    prompt: str,
    data: Path,
    *,
    pack: bool = False,
    study: Path | None = None,
    others: Path | None = None,
    columns: Columns = BY_NAME,
    shadows: int = SHADOWS,
    seed: int = 0,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> AuditReport:
    """Attack a prompt with the cases that it was tuned on, and say what the attacks found.

    An audit that was stopped goes on at its last shadow prompt. The same prompt, study, cases and seed are the same
    audit.

    Args:
        ws: the workspace.
        prompt: an id, a beginning of one, ``name@tag``, an adapted prompt's name or, with ``pack``, a pack.
        data: this site's cases, as they were tuned on.
        pack: whether it is a pack.
        study: the study's file, where the bank does not know it.
        others: cases that were used for nothing; the validation and test cases if None.
        columns: what was said of the files' columns.
        shadows: how many shadow prompts are tuned; fewer than four are of no use, so none are then.
        seed: of coins, orders and made-up cases.
        report: hears how far it is.
        stop: looked at before each step.

    Raises:
        FedPromptError: there is no such prompt, or no study is known.
        DataError, ModelError: says where and what to do.
    """
    began = time.monotonic()
    subject = subject_of(ws, prompt, pack=pack, study=study)
    own = own_cases(ws, subject.study, study or Path(subject.study.study), data, columns, "tune")
    members, rest = _cut(subject, own, None if others is None else cases_of(others, subject.study, columns))
    shadows = shadows if shadows >= LEAST_SHADOWS else 0
    named = {"prompt": subject.id, "shadows": shadows, "seed": seed, "members": len(members)}
    named["study"] = subject.study.digest(subject.study.model)
    named["contents"] = contents_digest(own.folder, [*members, *rest])
    name = content_id("d1", canonical_json(named))
    if (kept := read_json(report_path(own.folder, name))) is not None:
        return from_json(AuditReport, kept)
    steps = subject.study.rounds.count * subject.study.tuning.steps
    planned = {"load": 5.0, "look": 10.0, "controls": 80.0, "canaries": float(steps), "shadows": float(shadows * steps)}
    clock = Clock(report, planned, stop, paced="controls")
    with clock.stage("load", f"loading {subject.study.model}"):
        model = load(subject.study.model, ws.home.path)
    found, quoted = _Found(), _quoted(subject, own, (*members, *rest))
    inside = np.arange(len(members) + len(rest)) < len(members)
    if rest:
        with clock.stage("look", f"{len(members)} cases that were tuned on and {len(rest)} others"):
            answers = true_labels((*members, *rest), subject.study.answer)
            logs = subject.logs(ws.home.path, model, (*members, *rest), own.splits.tune, _telling(clock, "cases"), stop)
            sure = confidence(logs, answers)
            found.ranked("loss", sure, inside)
        folder = report_path(own.folder, name).with_suffix("")
        if subject.study.soft is not None:
            start = start_prompt(model, subject.study, ws.bank)
            looks = Looks(model, subject.study, members, rest, start, folder, stop)
            _tried(found, subject, looks, model, sure, shadows, seed, clock)
        shutil.rmtree(folder, ignore_errors=True)
    weighed = weigh(
        [row.p for row in found.rows],
        [row.got.high for row in found.rows if row.unit == "AUC"],
        len(members),
        len(rest),
        controls=bool(found.controls) and all(one.found for one in found.controls),
        certain=quoted > 0 or found.overspent,
    )
    rows = tuple(
        AttackRow(**{**vars(row), "p_adjusted": adjusted, "found": seen})
        for row, adjusted, seen in zip(found.rows, weighed.adjusted, weighed.found, strict=True)
    )
    made = AuditReport(
        audit=name,
        prompt=subject.id,
        name=subject.name,
        kind=subject.kind,
        study=subject.study.study,
        model=subject.study.model,
        members=len(members),
        others=len(rest),
        verdict=weighed.verdict,
        reason=weighed.reason,
        sentence=sentence_of(weighed.verdict, weighed.reason, len(members), len(rest), rows, quoted),
        attacks=rows,
        controls=tuple(found.controls),
        quoted=quoted,
        shadows=shadows,
        seed=seed,
        seconds=round(time.monotonic() - began, 3),
        created=now(),
        picture=_picture(rows, found.scores, inside),
        epsilon=found.epsilon,
        epsilon_claimed=found.claimed,
        update=found.update,
        update_guessing=found.update_guessing,
        words=found.words,
    )
    keep_report(own.folder, made)
    return made


def _cut(subject: Subject, own: OwnCases, given: Sequence[Case] | None) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Return the members and the others, none of which is both."""
    splits = own.splits
    if subject.kind == "adapted":  # it learns from every labelled case
        members: Sequence[Case] = (*splits.tune, *splits.validation, *splits.test)
        rest: Sequence[Case] = given or ()
    else:
        members, rest = splits.tune, (*splits.validation, *splits.test) if given is None else given
    known = {tuple(case.fields.values()) for case in members}
    rest = [case for case in rest if tuple(case.fields.values()) not in known]
    if given is not None and not rest:
        raise DataError(
            "every case of the other file is among those that were tuned on; give cases that were used for nothing",
            code="no-cases",
        )
    return tuple(members[:MOST]), tuple(rest[:MOST])


def _quoted(subject: Subject, own: OwnCases, cases: Sequence[Case]) -> int:
    """Count the cases that can be read in its text."""
    lines = {line for one in subject.prompts for found in repeated(one.template, cases).values() for line in found}
    shown = len(subject.shown)
    if subject.kind in ("soft", "template"):
        spec = subject.prompts[0].template.demonstrations
        shown = 0 if spec is None else min(spec.count, len(own.splits.tune))
    return max(len(lines), shown)


def _tried(
    found: _Found,
    subject: Subject,
    looks: Looks,
    model: CausalModel,
    sure: Scores,
    shadows: int,
    seed: int,
    clock: Clock,
) -> None:
    """Run the attacks and controls that tune or take slopes."""
    rng = np.random.default_rng([seed, 5])
    soft = subject.prompts[0].soft if subject.kind == "soft" else None
    first = looks.slopes(looks.start.vectors)
    with clock.stage("controls", "a prompt that was tuned for too long"):
        fitted, unseen = looks.overfitted(seed, _telling(clock, "steps of an overfitted prompt"))
        over = membership(fitted, unseen)
        found.controls.append(ControlRow("overfitted", "lower end of the AUC", over.auc.low, 0.5, over.p < LEVEL))
        found.controls += _noised(first, rng)
    if soft is not None and soft.vectors.shape == looks.start.vectors.shape:
        plays = np.zeros((PLAYS, len(looks.cases)), dtype=bool)
        for row in plays:
            row[rng.permutation(len(row))[: int(looks.members.sum())]] = True
        made = played(first, looks.slopes(soft.vectors), plays, looks.steps, rng)
        told = all_but_one((soft.vectors - looks.start.vectors).reshape(-1), looks.members, made, plays)
        found.ranked("all-but-one", told, looks.members)
        if isinstance(model, Worded):
            _words(found, model, soft.vectors, looks)
    _one_step(found, first, looks, rng)
    with clock.stage("canaries", "made-up cases among the members"):
        told_of = told_by(*looks.canaries(seed, _telling(clock, "steps with made-up cases")))
        bits = _bounded(told_of.bits)
        found.rows.append(AttackRow("canaries", "bits", bits, CHANCE, told_of.p, told_of.p, False))
    if not shadows:
        return
    made_shadows: list[Shadow] = []
    with clock.stage("shadows", f"{shadows} shadow prompts"):
        for number in range(shadows):
            whole = (number, shadows)
            made_shadows.append(looks.shadow(number, seed, _telling(clock, f"shadow {number + 1} of {shadows}", whole)))
    held = np.stack([one.inside for one in made_shadows])
    seen = np.stack([one.confidences for one in made_shadows])
    if soft is not None:
        found.ranked("lira", likelihood_ratio(sure, seen, held), looks.members)
    if shadows > LEAST_SHADOWS:
        delta = DELTA if looks.claimed is None else looks.claimed[1]
        found.epsilon = one_run(likelihood_ratio(seen[0], seen[1:], held[1:]), held[0], delta).epsilon
        found.claimed = None if looks.claimed is None else looks.claimed[0]


def _noised(slopes: NDArray[np.float32], rng: np.random.Generator) -> list[ControlRow]:
    """Return what the audit finds of a noised sum whose noise is far too small, and of one that keeps its word."""
    inside, right = rng.random(len(slopes)) < 0.5, noise_for(CLAIMED, DELTA)
    small = one_run(released_scores(slopes, inside, right / TOO_SMALL, rng), inside, DELTA).epsilon
    kept = one_run(released_scores(slopes, inside, right, rng), inside, DELTA).epsilon
    return [
        ControlRow("noise-too-small", "epsilon at least", small, CLAIMED, small > CLAIMED),
        ControlRow("noise-as-claimed", "epsilon at least", kept, CLAIMED, kept <= CLAIMED),
    ]


def _one_step(found: _Found, slopes: NDArray[np.float32], looks: Looks, rng: np.random.Generator) -> None:
    """Turn the smallest updates back: one step each, over one batch of members."""
    places = np.flatnonzero(looks.members)
    batches = np.zeros((UPDATES, len(looks.cases)), dtype=bool)
    for row in batches:
        row[rng.permutation(places)[: min(looks.steps.batch, len(places))]] = True
    updates = -np.sign(batches.astype(np.float32) @ slopes)  # AdamW's first step
    told = picked_out(updates, slopes, batches)
    found.update, found.update_guessing = _bounded(told.right), told.guessing


def _words(found: _Found, model: Worded, vectors: NDArray[np.float32], looks: Looks) -> None:
    words = model.vocabulary

    def nearest(of: NDArray[np.float32]) -> list[str]:
        return [words.spelt([int(token[0])]) for token in words.nearest(of, 1, "cosine", plain=False).tokens]

    texts = [" ".join(case.fields.values()) for case in looks.cases]
    count = int(looks.members.sum())
    told = told_words(nearest(vectors), nearest(looks.start.vectors), texts[:count], texts[count:])
    found.words = told.words
    share = told.members_with / max(1, told.members)
    from scipy.stats import binomtest

    ends = binomtest(told.members_with, max(1, told.members)).proportion_ci(0.95, method="exact")
    got = Bounded(share, float(ends.low), float(ends.high))
    guess = told.others_with / max(1, told.others)
    found.rows.append(AttackRow("words", "share of members' texts", got, guess, told.p, told.p, False))


def _row(attack: str, found: Membership) -> AttackRow:
    return AttackRow(attack, "AUC", _bounded(found.auc), 0.5, found.p, found.p, False, _bounded(found.caught))


def _bounded(one: Estimate) -> Bounded:
    return Bounded(**asdict(one))


def _picture(rows: Sequence[AttackRow], scores: dict[str, Scores], members: NDArray[np.bool_]) -> Picture | None:
    """Draw the attack that ranks members highest."""
    ranked = [row for row in rows if row.attack in scores]
    if not ranked:
        return None
    worst = max(ranked, key=lambda row: row.got.value)
    own, rest = scores[worst.attack][members], scores[worst.attack][~members]
    curve, (edges, inside, outside) = roc(own, rest), histogram(own, rest)
    return Picture(worst.attack, curve.false, curve.true, edges, inside, outside)


def _telling(clock: Clock, what: str, among: tuple[int, int] = (0, 1)) -> Callable[[int, int], None]:
    """Return what hears (done, total) of the ``among[0]``-th of so many equal parts of a stage."""

    def tell(done: int, total: int) -> None:
        clock.tell(f"{done} of {total} {what}" if among[1] == 1 else what, (among[0] + done / max(1, total)) / among[1])

    return tell
