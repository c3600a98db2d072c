"""``site study show|accept|decline``: what a study asks of a site, and the operator's word on it, pinned by digest.

A revision of a study has another digest, so it is a study that was not accepted. Invariant: a study's model is loaded
only if the site's policy lists it, so that nothing is fetched because a file says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError, StudyError
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.models.chat.config import is_chat
from fedprompt.models.registry import load
from fedprompt.models.sources import Source, source_of
from fedprompt.privacy.promise import Promise, promise_of
from fedprompt.site.policy import Policy
from fedprompt.study.allowed_rounds import cases_a_round
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.trust.signing import site_identity
from fedprompt.tuning.tunables.registry import tunable_of
from fedprompt.verbs.head import head_told
from fedprompt.verbs.pretrain import pretraining_told
from fedprompt.verbs.sums.told import summed_told
from fedprompt.verbs.worth import HOME
from fedprompt.workspace.answers.study_model import model_digest_of
from fedprompt.workspace.as_json import ABSENT, INLINE
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled, enrolled_sites
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, write_json
from fedprompt.workspace.rounds.planned_questions import planned_questions, told_questions
from fedprompt.workspace.rounds.pretraining_base import base_of
from fedprompt.workspace.rounds.pretraining_site import check_site
from fedprompt.workspace.site.permitted import permitted, why_not_listed

__all__ = [
    "Declined",
    "StudyAccepted",
    "StudyShown",
    "site_study_accept",
    "site_study_decline",
    "site_study_show",
]

BYTES_A_NUMBER = {"float32": 4, "float16": 2, "int8": 1}
ENVELOPE = 1200  # a reply's JSON, and a little
RELEASED = (
    "the hub may release this site's own tuned prompt, signed, to every site of the federation, including "
    "later ones. Released copies cannot be recalled"
)


DETAILS = {
    "templates": ", with correct answers rounded to about the square root of the number of cases",
    "totals": ", with exact correct answers",
    "all": ", exact, with a confusion matrix and calibration bins",
}


@dataclass(frozen=True)
class StudyShown:
    """What a study asks of a site; its ``answer``, ``templates`` and ``soft`` as the study's file has them.

    ``leaves`` says in sentences what leaves, ``agreed`` what an operator agrees to by accepting that cannot be undone.
    ``tunable`` is what rounds move where it is no soft prompt, and ``parameters`` how many numbers they move.
    ``steps`` are of one round, and ``bytes_a_round`` about what leaves in it.
    Nothing is told over fewer than ``min_cases``, and no more than so many ``replies`` are sent; of each split so many
    exact questions are asked (``questions_asked``) and answered (``questions``, None where its cases bound them).
    Where the site's policy does not list the model, ``refused`` says so, and what only the model tells is None.
    """

    digest: str | None
    study: str
    model: str
    model_source: str
    model_from: str
    model_digest: str | None
    refused: str | None
    fields: tuple[str, ...]
    answer: Mapping[str, Any]
    templates: tuple[Mapping[str, Any], ...]
    soft: Mapping[str, Any] | None
    tunable: Mapping[str, Any] | None
    parameters: int
    rounds: int
    steps: int
    min_cases: int
    replies: int
    questions: int | None
    questions_asked: Mapping[str, int]
    questions_told: str
    scores: str
    leaves: tuple[str, ...]
    agreed: tuple[str, ...]
    bytes_a_round: int | None
    privacy: Promise | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class StudyAccepted:
    """A study that a site accepted, when, and what it asks."""

    site: str
    accepted: str
    shown: StudyShown = field(metadata=INLINE)


@dataclass(frozen=True)
class Declined:
    """A study that a site answers no more."""

    site: str
    digest: str
    study: str


def site_study_show(home: Home, file: Path, *, site: str | None = None) -> StudyShown:
    """Return what a study asks of a site and what would leave, with its digest on this machine's model.

    Nothing of a model that the site's policy does not list is loaded. A home whose site did not join yet has the
    default policy.

    Raises:
        StudyError: the file is not a study.
        ModelError: its model is not here.
    """
    policy = enrolled(home, site).folder.policy if site is not None or enrolled_sites(home) else Policy()
    return _shown(home, read_study(file, complete_scorers), policy)


def site_study_accept(home: Home, file: Path, *, digest: str | None = None, site: str | None = None) -> StudyAccepted:
    """Accept a study: from now on this site answers its tasks.

    Args:
        digest: what the hub's operator says it is, if they said.

    Raises:
        StudyError: the file is not a study, has another digest, or could not be tuned under this site's policy.
        ModelError: the site's policy does not list its model; nothing of it was loaded or fetched.
    """
    chosen = enrolled(home, site)
    study = read_study(file, complete_scorers)  # once: what is pinned is what is shown
    permitted(home, chosen.folder.policy, study)
    shown = _shown(home, study, chosen.folder.policy)
    assert shown.digest is not None  # of a model that is listed it is known
    if digest is not None and shown.digest != digest:
        raise StudyError(
            f"{file}: its digest on this machine is {shown.digest}, not {digest}; the file or the model "
            "differs from the hub's",
            code="another-content",
        )
    _named(file, study, chosen)
    if study.pretraining is not None:
        check_site(study, base_of(study, home.path), chosen.folder)
    own, dp = chosen.folder.policy.epsilon, study.dp
    if dp is not None and own is not None and dp.epsilon > own:
        raise StudyError(
            f"{file}: this study spends an epsilon of {dp.epsilon:g}, but this site's policy allows {own:g} in "
            "all studies together. Change the policy with 'fedprompt site policy --epsilon', or ask the hub's "
            "operator for less",
            code="privacy-spent",
        )
    drawn, floor = cases_a_round(study), chosen.folder.policy.min_cases
    if shown.parameters > chosen.folder.policy.parameters:
        raise StudyError(
            f"{file}: its rounds move {shown.parameters:,} numbers, but this site's policy allows "
            f"{chosen.folder.policy.parameters:,}, so no round would be answered. To allow them, run "
            f"'fedprompt site policy --parameters {shown.parameters}'",
            code="too-large-a-tunable",
        )
    if study.moves is not None and drawn < floor and (dp is None or not dp.tunes):
        raise StudyError(
            f"{file}: a round of this study draws at most {drawn} cases (steps times tuning.batch), but this "
            f"site's policy needs at least {floor} cases per number. Lower the limit with 'fedprompt site "
            "policy --min-cases', or ask the hub's operator for more steps or a larger batch",
            code="too-few-cases",
        )
    accepted = now()
    body = {
        "digest": shown.digest,
        "study": study.model_dump(mode="json"),
        "accepted": accepted,
        "model_digest": shown.model_digest,
        "agreed": list(shown.agreed),
    }
    write_json(_file(chosen, shown.digest), body)
    return StudyAccepted(chosen.name, accepted, shown)


def _named(file: Path, study: Study, site: EnrolledSite) -> None:
    """Refuse secure sums that do not name this site with its own key.

    Raises:
        StudyError: they name no sites, or this one otherwise.
    """
    sums = study.rounds.secure_sums
    if sums is None:
        return
    identity = site_identity(site.folder.key)
    if sums.sites is None:
        raise StudyError(
            f"{file}: the study asks for secure sums but names no sites, so the hub could add its own. Ask its "
            f"operator to list the key of every site under 'rounds: secure_sums: sites' (yours: {identity})",
            code="sites-not-named",
        )
    if sums.sites.get(site.name) != identity:
        raise StudyError(
            f"{file}: the study names '{site.name}' with the key {sums.sites.get(site.name, 'of nobody')} for secure "
            f"sums, and its key is {identity}; ask the hub's operator to correct it",
            code="sites-not-named",
        )


def site_study_decline(home: Home, wanted: str, *, site: str | None = None) -> Declined:
    """Take back the word on a study, given by its digest or name; its tasks are refused from the next start on.

    Raises:
        StudyError: it was not accepted.
    """
    chosen = enrolled(home, site)
    found = chosen.the_study(wanted)
    if chosen.running is not None and chosen.running["study"] == found.digest:
        raise FederationError(
            f"'{chosen.name}' is answering that study now; stop or pause 'fedprompt site run' first",
            code="runs-already",
        )
    _file(chosen, found.digest).unlink()
    return Declined(chosen.name, found.digest, found.study.study)


def _shown(home: Home, study: Study, policy: Policy) -> StudyShown:
    source = source_of(study.model, home.path)
    refused = why_not_listed(source, policy)
    if refused is not None:
        return _described(study, source, None, None, refused)
    if is_chat(study.model) or study.pretraining is not None:
        return _described(study, source, None, model_digest_of(study, home.path), None)
    loaded = load(study.model, home.path)
    tunable = tunable_of(study)
    moved = None if tunable is None else tunable.shape(loaded, study)
    return _described(study, source, moved, loaded.info.digest, None)


def _file(site: EnrolledSite, digest: str) -> Path:
    return site.studies / f"{digest.replace(':', '-')}.json"


def _at_first(study: Study) -> list[str]:
    """Return what leaves before any round."""
    if study.dp is None:
        return [
            "the number of cases per split and per label",
            "sums and counts of each template's score on validation, with a confusion matrix and calibration bins",
        ]
    if "scores" not in study.dp.covers:
        return [
            "how many cases each split has, with noise on the number of tune cases",
            "sums and counts of each template's score on validation, without noise, with a confusion matrix and "
            "calibration bins",
        ]
    return [
        "about how many cases each split has" + ("" if study.dp.tunes else ", exactly of tune"),
        "the number of validation cases that each template answers correctly, with noise and without a "
        "confusion matrix",
    ]


def _described(
    study: Study, source: Source, moved: tuple[int, ...] | None, model: str | None, refused: str | None
) -> StudyShown:
    update = 0 if moved is None else math.prod(moved) * BYTES_A_NUMBER[study.rounds.update]
    envelopes = 3 if study.rounds.secure_sums is None else 7
    leaves = _at_first(study)
    if study.moves is not None:
        leaves += [
            f"each round, an update of {_numbers(study, moved)} numbers ({study.rounds.update})"
            if study.rounds.secure_sums is None
            else summed_told(study, _numbers(study, moved)),
            f"each round, the new prompt's score on validation{DETAILS[study.privacy.details]}",
        ]
    if study.rounds.groups is not None:
        leaves.append(f"the same in {study.rounds.groups.rounds} more rounds of this site's group")
    if study.rounds.personal is not None:
        leaves.append("which prompt this site keeps and its score; its own prompt never leaves")
    if study.rounds.alone:
        leaves += [
            f"the same in {study.rounds.count} rounds of this site alone, for comparison: its own prompt, "
            "which the hub sends to the other sites",
            "scores of the prompts that the other sites tuned alone",
        ]
    if (head := head_told(study)) is not None:
        leaves.append(head)
    if (worth := study.worth) is not None:
        counts = ", ".join(map(str, worth.n))
        leaves += [
            f"the same updates, without scores, in up to {worth.folds - 1} more "
            f"run{'s' if worth.folds > 2 else ''} of {study.rounds.count} rounds, each without another part of "
            "the sites, to measure the gain from joining",
            f"after learning from {counts} of its tuning cases: the number of correct validation cases, alone "
            f"and with shared prompts. These are up to {worth.ways + len(HOME)} whole numbers each, averaged "
            f"over {worth.draws} draws. Each takes this machine up to {worth.seconds:g} s",
        ]
    if is_chat(study.model):
        leaves.append("to the chat model's server: every scored case, if models.toml allows that host")
    leaves.append("scores and paired comparisons of the nominated prompts on test, counted by this site")
    if study.pretraining is not None:
        leaves = list(pretraining_told(study))
    return StudyShown(
        digest=None if model is None else study.digest(model),
        study=study.study,
        model=study.model,
        model_source=source.kind,
        model_from=source.told,
        model_digest=model,
        refused=refused,
        fields=study.fields,
        answer=study.answer.model_dump(mode="json"),
        templates=tuple(spec.model_dump(mode="json", exclude_none=True) for spec in study.templates),
        soft=None if study.soft is None else study.soft.model_dump(mode="json", exclude_none=True),
        rounds=study.rounds.count if study.moves is not None or study.pretraining is not None else 0,
        tunable=None if study.tunable is None else study.tunable.model_dump(mode="json"),
        parameters=0 if moved is None else math.prod(moved),
        steps=study.tuning.steps if study.pretraining is None else study.pretraining.steps,
        min_cases=study.privacy.min_cases,
        replies=study.privacy.replies,
        questions=study.privacy.questions,
        questions_asked={str(split): n for split, n in planned_questions(study).items()},
        questions_told=told_questions(study),
        scores=study.privacy.scores,
        leaves=tuple(leaves),
        agreed=(RELEASED,) if study.rounds.released else (),
        bytes_a_round=_bytes_a_round(study, model, update + envelopes * ENVELOPE),
        privacy=promise_of(study),
    )


def _bytes_a_round(study: Study, model: str | None, update: int) -> int | None:
    """Return about what leaves in a round; None where the model is not known, or its weights are what leaves."""
    if model is None or study.pretraining is not None:
        return None
    return 0 if study.moves is None else update


def _numbers(study: Study, moved: tuple[int, ...] | None) -> str:
    """Return how many numbers an update has, in words where the model that says so is not loaded."""
    if moved is not None:
        return " x ".join(f"{length:,}" if len(moved) == 1 else str(length) for length in moved)
    return "an adapter's" if study.soft is None else f"{study.soft.tokens} x the model's width"
