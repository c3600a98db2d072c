"""Studies of this machine: drafted from an evaluation set, edited as a form or as YAML, kept as files under the home.

Invariant: a form's content, the study and its YAML are one value: what is written is read back as the same study, and
nothing is kept that does not parse. ``studies/NAME.yaml`` is what the command line takes with ``--study``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import StudyError
from fedprompt.evaluation.drafting import dump_study, study_body
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.file_names import file_name
from fedprompt.private_file import write_private
from fedprompt.study.files import MAX_STUDY_BYTES, parse_study, read_study
from fedprompt.study.schema import Study
from fedprompt.study.showing import notes
from fedprompt.workspace.acting import needs
from fedprompt.workspace.cases.evaluation_sets import Reading
from fedprompt.workspace.home import Home

__all__ = [
    "KeptStudy",
    "body_of",
    "draft_of",
    "keep_study",
    "kept_studies",
    "study_yaml",
    "unfit_yaml",
    "used_by",
    "with_changes",
    "written_notes",
]

WHERE = "the study"


@dataclass(frozen=True)
class KeptStudy:
    """A study's file; ``study`` is None and ``problem`` a sentence where it cannot be read any more."""

    path: Path
    changed: int
    study: Study | None
    problem: str | None = None

    @property
    def name(self) -> str:
        """What it is called on the pages."""
        return self.path.stem if self.study is None else self.study.study


def draft_of(reading: Reading, name: str, model: str | None = None) -> str:
    """Return the YAML of a study for a file that is read so: four templates, and a soft slot where labels are few.

    Raises:
        StudyError: the draft is no study, as where a label cannot stand in a template.
    """
    body = study_body(name, tuple(reading.fields), reading.answer, reading.labels)
    text = dump_study(body if model is None else {**body, "model": model})
    parse_study(text, WHERE, complete_scorers)
    return text


def study_yaml(study: Study) -> str:
    """Return a study as YAML that reads back as the same study; what stands at its default is left out."""
    body = study.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    body = {"study": study.study, "model": study.model, **body}
    return dump_study({key: body[key] for key in Study.model_fields if key in body})


def body_of(text: str) -> dict[str, Any]:
    """Return a study's content with the defaults filled in, for a form.

    Raises:
        StudyError: it is no study; names line and field.
    """
    return parse_study(text, WHERE, complete_scorers).model_dump(mode="json")


def written_notes(text: str) -> tuple[str, ...]:
    """Return what is odd about a study and may be meant.

    Raises:
        StudyError: it is no study; names line and field.
    """
    return notes(parse_study(text, WHERE, complete_scorers))


def with_changes(text: str, changes: Mapping[str, Any]) -> str:
    """Return the YAML of a study with some of its parts replaced, as a form does.

    Args:
        text: the study.
        changes: top-level name -> its new content; None takes an optional part out.

    Raises:
        StudyError: with these changes it is no study; names the field.
    """
    body = {**body_of(text), **changes}
    body = {key: value for key, value in body.items() if value is not None}
    study = parse_study(dump_study(body), WHERE, complete_scorers)
    return study_yaml(study)


def unfit_yaml(text: str, changes: Mapping[str, Any]) -> str:
    """Return the YAML of a study with some of its parts replaced, though that makes no study: to be looked at.

    Raises:
        StudyError: the study that is changed is none itself.
    """
    body = parse_study(text, WHERE, complete_scorers).model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    given = {key: value for key, value in {**body_of(text), **changes}.items() if key in {*body, *changes}}
    return dump_study({key: given[key] for key in Study.model_fields if given.get(key) is not None})


@needs("tune")
def keep_study(home: Home, text: str) -> Path:
    """Check a study and keep it as ``studies/NAME.yaml``; one of that name is replaced.

    Raises:
        StudyError: it is no study; names line and field.
    """
    if len(text.encode()) > MAX_STUDY_BYTES:
        raise StudyError(f"{WHERE}: longer than {MAX_STUDY_BYTES:,} bytes; remove some templates", code="too-large")
    study = parse_study(text, WHERE, complete_scorers)
    path = folder(home) / file_name(study.study, ".yaml", other="study", apart=True)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text)
    except OSError as error:
        raise StudyError(
            f"{path} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
        ) from error
    return path


def kept_studies(home: Home) -> tuple[KeptStudy, ...]:
    """Return the studies of this machine, the one that was changed last first."""
    found = []
    for path in folder(home).glob("*.yaml"):
        if path.name.startswith("."):
            continue
        try:
            found.append(KeptStudy(path, path.stat().st_mtime_ns, read_study(path, complete_scorers)))
        except StudyError as error:
            found.append(KeptStudy(path, path.stat().st_mtime_ns, None, str(error)))
    return tuple(sorted(found, key=lambda one: (-one.changed, one.name)))


def used_by(study: Study | str, reading: Reading) -> str | None:
    """Return why a file that is read so does not fit a study or its YAML, or None where it does.

    Raises:
        StudyError: the YAML is no study; names line and field.
    """
    study = parse_study(study, WHERE, complete_scorers) if isinstance(study, str) else study
    if missing := [field for field in study.fields if field not in reading.fields]:
        return (
            f"the study has the field '{missing[0]}', but no column of the file is chosen for it; choose one "
            "on the Data page, or use another study"
        )
    if study.answer.type == "choice" and (stray := [one for one in reading.labels if one not in study.answer.labels]):
        return (
            f"the file has the label '{stray[0][:40]}', but the study does not; add the label to the study, or "
            "remove it from the file's labels on the Data page"
        )
    if study.answer.type == "choice" and not reading.labels:
        return (
            "the study has labels, but the file's answers are free text; choose a label column on the Data "
            "page, or use another study"
        )
    return None


def folder(home: Home) -> Path:
    """Return where studies are kept."""
    return home.path / "studies"
