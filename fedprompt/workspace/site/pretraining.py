"""``site run`` of a study of pre-training: the site's text is prepared and its model built, before it answers."""

from pathlib import Path

from fedprompt.errors import StudyError
from fedprompt.evaluation.column_map import Columns
from fedprompt.site.drawing import Drawing
from fedprompt.site.pretraining_worker import PretrainingWorker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.enrolled.site_folder import Accepted, EnrolledSite
from fedprompt.workspace.home import Home
from fedprompt.workspace.rounds.pretraining_base import base_of
from fedprompt.workspace.rounds.pretraining_site import check_site, make_pretraining_worker, prepare_text
from fedprompt.workspace.site.permitted import permitted

__all__ = ["open_pretraining_worker"]

TEXT = "text"


def open_pretraining_worker(
    home: Home,
    site: EnrolledSite,
    accepted: Accepted,
    data: Path,
    columns: Columns,
    *,
    stop: StopToken = NEVER,
) -> PretrainingWorker:
    """Prepare the site's text and build the accepted study's model.

    Args:
        data: a file or folder of text.
        columns: of tables, the one that is mapped to ``text`` holds it.

    Raises:
        StudyError: with this machine's model the study is another than was accepted.
        ModelError: the site's policy does not list the model or allow its size, or it cannot be loaded.
        DataError: the text cannot be used, or there is too little.
        TuningError: there is too little memory or disk.
    """
    study, folder = accepted.study, site.folder
    source = permitted(home, folder.policy, study)
    base = base_of(study, home.path)
    if study.digest(base.digest) != accepted.digest:
        raise StudyError(
            f"'{study.study}' was accepted with another model, or by another version of fedprompt; look at it with "
            "'fedprompt site study show FILE' and accept it again",
            code="other-model",
        )
    check_site(study, base, folder)
    text = prepare_text(
        folder,
        site.name,
        study,
        base,
        [data],
        column=columns.named.get(TEXT),
        least=max(study.privacy.min_cases, folder.policy.min_cases),
        stop=stop,
    )
    return make_pretraining_worker(
        name=site.name,
        folder=folder,
        study=study,
        digest=accepted.digest,
        model=base.build(0),  # fresh weights are replaced by those that the hub sends
        text=text,
        drawing=Drawing(folder.key),
        scope=accepted.digest,
        stop=stop,
        source=source,
    )
