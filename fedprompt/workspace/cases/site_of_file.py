"""Makes a site's worker out of a list of cases: key, split, and a refusal where cases are too few.

Which site's key cuts a file's cases is said in one place, ``one_cut``.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.readers import read_cases
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.evaluation.splits.adopting import Other, adopt
from fedprompt.evaluation.splits.cutting import Splits, SplitSizes, assign, load_assignment, save_assignment
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.models.protocols import CausalModel
from fedprompt.models.sources import Source
from fedprompt.prompts.ids import canonical_json
from fedprompt.site.drawing import drawing_of_run
from fedprompt.site.folder import KEY_BYTES, SiteFolder
from fedprompt.site.standing import check_key
from fedprompt.site.worker import Worker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.entered_cases import entered_splits

__all__ = ["cases_of", "contents_digest", "make_worker", "split_cases"]


def cases_of(path: Path, study: Study, columns: Columns = BY_NAME) -> tuple[Case, ...]:
    """Read a file of cases for a study.

    Raises:
        DataError: the file cannot be used; names file, line and field.
    """
    labels = study.answer.labels if study.answer.type == "choice" else None
    return read_cases(path, fields=study.fields, labels=labels, columns=columns).cases


def contents_digest(folder: SiteFolder, cases: Sequence[Case]) -> str:
    """Return an HMAC under the site's key of all its cases, so that a changed file is another run."""
    mac = hmac.new(folder.key, digestmod=hashlib.sha256)
    for case in cases:
        mac.update(canonical_json([dict(case.fields), case.answer, case.group]))
    return mac.hexdigest()


def split_cases(
    folder: SiteFolder, study: Study, cases: Sequence[Case], others: Sequence[Other] = (), *, store: bool = True
) -> Splits:
    """Cut a site's cases under its key, never moving what was cut before, and store the cut.

    Args:
        others: cuts of the same cases under other names, which hold as well.
        store: keep the cut; without it nothing is written, and a folder that is not there yet has a key of zeros.
    """
    stored = folder.assignment(study.study)
    key = folder.key if store or folder.prepared else bytes(KEY_BYTES)
    found = adopt(cases, key, load_assignment(stored) or {}, others, study.fields)
    sizes = SplitSizes(study.splits.tune, study.splits.validation, study.splits.test)
    splits = assign(
        found.cases, key, sizes, found.assignment, fields=study.fields, stratified=study.answer.type == "choice"
    )
    if store:
        save_assignment(stored, splits.assignment)
    return replace(splits, left_out=(*splits.left_out, *found.contested))


def make_worker(
    *,
    name: str,
    folder: SiteFolder,
    study: Study,
    model: CausalModel | LangChainChat,
    cases: Sequence[Case],
    where: str,
    resources: Resources | None = None,
    splits: Splits | None = None,
    stop: StopToken = NEVER,
    bounded: bool = True,
    seed: int | None = None,
    contents: str | None = None,
    source: Source | None = None,
) -> Worker:
    """Return the worker of one site.

    Args:
        where: the file, for messages.
        source: where a model comes from that somebody else named; None where the site's operator named it.
        splits: the cut cases; cut here under the folder's key if None, without those that wait.
        resources: what the machine gives to scorers of free text.
        stop: ends its work between two steps or batches.
        bounded: whether new cases wait, and the lifetime count of exact questions stops an answer; not where one person
            holds all cases.
        seed: of a run whose hub and sites are this one process; None at a site of its own, whose key alone decides.
        contents: a digest of the cases of all sites of such a run; of this one's if None.

    Raises:
        DataError: a split is smaller than the study's ``min_cases``, or the tune split has fewer cases than a template
            shows; says how many there are.
    """
    check_key(folder)
    if splits is None:
        before = load_assignment(folder.assignment(study.study)) or {}
        splits = split_cases(folder, study, cases)
        if bounded:
            splits = entered_splits(folder, study, splits, before, where)
    if short := splits.shortfalls(study.privacy.min_cases):
        told = ", ".join(f"{s.split} has {s.have} of {s.need}" for s in short)
        raise DataError(
            f"{where}: site '{name}' has too few distinct cases ({told}; privacy.min_cases is "
            f"{study.privacy.min_cases}); add cases, change 'splits:', or lower min_cases in the study",
            code="too-few-cases",
        )
    _check_shown(study, splits, f"{where}: site '{name}'")
    own = None if seed is None else drawing_of_run(folder.key, seed, contents or contents_digest(folder, cases))
    return Worker(
        name=name,
        folder=folder,
        study=study,
        model=model,
        splits=splits,
        resources=resources,
        stop=stop,
        bounded=bounded,
        drawing=own,
        source=source,
    )


def _check_shown(study: Study, splits: Splits, where: str) -> None:
    try:
        for template in study.candidates():
            Shown(template, splits.tune)
        if study.moves is not None:
            slot = Shown(study.tuned_template(), splits.tune)
            for case in splits.tune:  # each is tuned on, and shown others
                slot.to(case)
    except DataError as error:
        raise DataError(
            f"{where}: {error}; add cases, or lower the count of 'demonstrations' in the study", code=error.code
        ) from error
