"""``site study show|accept|decline``: what a study asks of a site, and the operator's word on it, pinned by digest.

A revision of a study has another digest, so it is a study that was not accepted.
"""

from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError, StudyError
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.models.chat.config import is_chat
from fedprompt.models.registry import load
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.workspace.answers.study_model import model_digest_of
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, write_json
from fedprompt.workspace.rounds.planned_questions import planned_questions, told_questions

__all__ = ["site_study_accept", "site_study_decline", "site_study_show"]

BYTES_A_NUMBER = {"float32": 4, "float16": 2, "int8": 1}
ENVELOPE = 1200  # a reply's JSON, and a little


def site_study_show(home: Home, file: Path) -> dict[str, Any]:
    """Return what a study asks of a site and what would leave, with its digest on this machine's model.

    Raises:
        StudyError: the file is not a study.
        ModelError: its model is not here.
    """
    return _shown(home, read_study(file, complete_scorers))


def site_study_accept(home: Home, file: Path, *, digest: str | None = None, site: str | None = None) -> dict[str, Any]:
    """Accept a study: from now on this site answers its tasks.

    Args:
        digest: what the hub's operator says it is, if they said.

    Raises:
        StudyError: the file is not a study, or has another digest.
    """
    chosen = enrolled(home, site)
    study = read_study(file, complete_scorers)  # once: what is pinned is what is shown
    shown = _shown(home, study)
    if digest is not None and shown["digest"] != digest:
        raise StudyError(
            f"{file}: its digest on this machine is {shown['digest']}, not {digest}; the file or the model differs "
            "from the hub's"
        )
    body = {"digest": shown["digest"], "study": study.model_dump(mode="json"), "accepted": now()}
    write_json(_file(chosen, shown["digest"]), body)
    return {"site": chosen.name, "accepted": body["accepted"], **shown}


def site_study_decline(home: Home, wanted: str, *, site: str | None = None) -> dict[str, Any]:
    """Take back the word on a study, given by its digest or name; its tasks are refused from the next start on.

    Raises:
        StudyError: it was not accepted.
    """
    chosen = enrolled(home, site)
    found = chosen.the_study(wanted)
    if chosen.running is not None and chosen.running["study"] == found.digest:
        raise FederationError(f"'{chosen.name}' answers that study now; end 'fedprompt site run' first, or pause it")
    _file(chosen, found.digest).unlink()
    return {"site": chosen.name, "digest": found.digest, "study": found.study.study}


def _shown(home: Home, study: Study) -> dict[str, Any]:
    if is_chat(study.model):
        model, width = model_digest_of(study, home.path), 0
    else:
        info = load(study.model, home.path).info
        model, width = info.digest, info.width
    return {"digest": study.digest(model), **_described(study, width, model)}


def _file(site: EnrolledSite, digest: str) -> Path:
    return site.studies / f"{digest.replace(':', '-')}.json"


def _described(study: Study, width: int, model: str) -> dict[str, Any]:
    update = 0 if study.soft is None else study.soft.tokens * width * BYTES_A_NUMBER[study.rounds.update]
    leaves = ["how many cases each split and each label has", "sums and counts of each template's score on validation"]
    if study.soft is not None:
        leaves += [
            f"each round, an update of {study.soft.tokens} x {width} numbers ({study.rounds.update}) and a mean loss",
            "each round, the new prompt's score on validation",
        ]
    if study.rounds.groups is not None:
        leaves.append(f"the same in {study.rounds.groups.rounds} more rounds of the group that this site is put into")
    if study.rounds.personal is not None:
        leaves.append("which prompt this site keeps for itself and its score, never the prompt where it is its own")
    if study.rounds.alone:
        leaves += [
            f"the same in {study.rounds.count} rounds of this site alone, to compare: a prompt of its own, which the "
            "hub sends to the other sites",
            "scores of the prompts that the other sites tuned alone",
        ]
    if is_chat(study.model):
        leaves.append("to the chat model's server, every case that is scored, if models.toml allows that server's host")
    leaves.append("scores and paired comparisons of the nominated prompts on test, counted by this site")
    return {
        "study": study.study,
        "model": study.model,
        "model_digest": model,
        "fields": list(study.fields),
        "answer": study.answer.model_dump(mode="json"),
        "templates": [spec.model_dump(mode="json", exclude_none=True) for spec in study.templates],
        "soft": None if study.soft is None else study.soft.model_dump(mode="json", exclude_none=True),
        "rounds": study.rounds.count if study.soft is not None else 0,
        "steps": study.tuning.steps,
        "min_cases": study.privacy.min_cases,
        "replies": study.privacy.replies,
        "questions": study.privacy.questions,
        "questions_asked": dict(planned_questions(study)),
        "questions_told": told_questions(study),
        "scores": study.privacy.scores,
        "leaves": leaves,
        "bytes_a_round": 0 if study.soft is None else update + 3 * ENVELOPE,
    }
