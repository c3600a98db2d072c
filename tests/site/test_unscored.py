"""A sum over fewer cases than min_cases does not leave, though the split has enough of them."""

from pathlib import Path

import yaml

from fedprompt.evaluation.cases import Case
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreReply, ScoreTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.scripted_sites import MODEL, TEXT

BODY = {key: value for key, value in yaml.safe_load(TEXT).items() if key not in ("soft", "templates")}
STUDY = Study.model_validate(
    {**BODY, "answer": {"type": "generate", "scorers": ["exact"]}, "templates": [{"name": "t", "text": "{text}:"}]}
)
PROMPT = Prompt(STUDY.candidates()[0]).id


def made(path: Path, answered: int) -> Worker:
    """Return a site where only every ``answered``-th case has an answer."""
    folder = SiteFolder(path)
    folder.prepare(b"u" * 32)
    cases = [Case({"text": f"t{n}"}, "good" if n % answered == 0 else "", line=n) for n in range(80)]
    return make_worker(name="s", folder=folder, study=STUDY, model=MODEL, cases=cases, where="s")


def reply(worker: Worker, prompt: str = PROMPT) -> ScoreReply | Refusal:
    """Have a site score the template."""
    task = ScoreTask(study=worker.digest, task="t1:" + "a" * 32, prompts=(prompt,))
    found = unpack_reply(worker.handle(pack_task(task, {})).data)
    assert isinstance(found.message, ScoreReply | Refusal)
    return found.message


def test_too_few_judged_cases_are_refused(tmp_path: Path) -> None:
    refused = reply(made(tmp_path / "few", 8))
    assert isinstance(refused, Refusal) and refused.code == "too-few-cases"


def test_the_judged_cases_are_the_score(tmp_path: Path) -> None:
    found = reply(made(tmp_path / "many", 1))
    assert isinstance(found, ScoreReply) and found.scores[0].n == 20


def test_a_refusal_is_charged_where_the_cases_were_asked_and_not_where_they_were_not(tmp_path: Path) -> None:
    # How many cases can be judged follows from the prompt, so that "too few" is an answer about them too.
    site = made(tmp_path / "few", 8)
    unknown = reply(site, "p1:" + "0" * 32)
    assert isinstance(unknown, Refusal) and site.questions.answered("validation").asked == 0
    assert isinstance(reply(site), Refusal) and site.questions.answered("validation").asked == 1
    (tmp_path / "few" / "replies.db").unlink()
    assert made(tmp_path / "few", 8).questions.answered("validation").asked == 1
