"""What training does to the study's own task: how many cases its templates get right before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import StudyError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.runs.runner import run_prompts, to_score
from fedprompt.models.registry import load
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.own_cases import OwnCases, own_cases
from fedprompt.workspace.cases.site_of_file import cases_of
from fedprompt.workspace.workspace import Workspace

__all__ = ["TaskAccuracy", "TaskCases", "task_accuracy", "task_cases", "texts_of"]


@dataclass(frozen=True)
class TaskCases:
    """All labelled cases, which the text must not hold, and the validation cases that are scored."""

    cases: tuple[Case, ...]
    own: OwnCases


@dataclass(frozen=True)
class TaskAccuracy:
    """The share of ``cases`` that the best template gets right; ``before`` is None where weights were fresh."""

    cases: int
    before: float | None
    after: float
    template: str

    @property
    def sentence(self) -> str:
        """What training did, in words."""
        after = f"{100 * self.after:.1f} %"
        if self.before is None:
            return f"The template '{self.template}' gets {after} of {self.cases} cases right."
        return (
            f"On {self.cases} cases of the study's task, the best template gets {100 * self.before:.1f} % right before "
            f"and {after} after."
        )


def task_cases(ws: Workspace, study: Study, file: Path, cases: Path, columns: Columns) -> TaskCases:
    """Return the labelled cases of a file.

    Raises:
        StudyError: the study's answer is not a choice.
        DataError: the file cannot be used.
    """
    if study.answer.type != "choice":
        raise StudyError(
            f"{file}: cases are scored where the study's answer is a choice; take --cases out, or write fields, answer "
            "and templates",
            code="does-not-fit",
        )
    return TaskCases(cases_of(cases, study, columns), own_cases(ws, study, file, cases, columns, "validation"))


def texts_of(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the texts of cases, field after field."""
    return tuple(dict.fromkeys(text for case in cases for _, text in sorted(case.fields.items()) if text.strip()))


def task_accuracy(
    ws: Workspace, study: Study, found: TaskCases, before: Path | None, after: Path, stop: StopToken = NEVER
) -> TaskAccuracy:
    """Score the study's templates by the model of two folders; ``before`` None scores the second alone.

    Raises:
        ModelError: a model cannot be loaded.
    """
    first = None if before is None else _best(ws, study, found.own, before, stop)[0]
    share, template = _best(ws, study, found.own, after, stop)
    return TaskAccuracy(len(found.own.chosen), first, share, template)


def _best(ws: Workspace, study: Study, own: OwnCases, folder: Path, stop: StopToken) -> tuple[float, str]:
    model = load(str(folder), ws.home.path)
    prompts = [Prompt(template) for template in study.candidates()]
    runs, _ = run_prompts(model, prompts, own.chosen, study.answer, own.splits.tune, stop=stop)
    scores = [to_score(one, own.chosen, "validation", study.answer) for one in runs]
    best = max(range(len(scores)), key=lambda at: scores[at].total / scores[at].n)
    return scores[best].total / scores[best].n, prompts[best].name
