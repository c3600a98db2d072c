"""A sum over fewer cases than min_cases does not leave, though the split has enough of them."""

from pathlib import Path

import yaml

from fedprompt.evaluation.cases import Case
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import SiteFolder
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


def reply(path: Path, answered: int) -> ScoreReply | Refusal:
    """Score a site where only every ``answered``-th case has an answer."""
    folder = SiteFolder(path)
    folder.prepare(b"u" * 32)
    cases = [Case({"text": f"t{n}"}, "good" if n % answered == 0 else "", line=n) for n in range(80)]
    worker = make_worker(name="s", folder=folder, study=STUDY, model=MODEL, cases=cases, where="s")
    task = ScoreTask(study=worker.digest, task="t1:" + "a" * 32, prompts=(PROMPT,))
    found = unpack_reply(worker.handle(pack_task(task, {})).data)
    assert isinstance(found.message, ScoreReply | Refusal)
    return found.message


def test_too_few_judged_cases_are_refused(tmp_path: Path) -> None:
    refused = reply(tmp_path / "few", 8)
    assert isinstance(refused, Refusal) and refused.code == "too-few-cases"


def test_the_judged_cases_are_the_score(tmp_path: Path) -> None:
    found = reply(tmp_path / "many", 1)
    assert isinstance(found, ScoreReply) and found.scores[0].n == 20
