"""Reads a study file: YAML, bounded, with the file, line and field of whatever is wrong."""

from collections.abc import Callable
from pathlib import Path

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.errors import StudyError
from fedprompt.study.plain_yaml import MAX_PARTS, Document, YamlProblem, read_yaml
from fedprompt.study.schema import Study
from fedprompt.study.showing import unshown
from fedprompt.study.told import as_text, bare_key, place_of, reason_of, told_otherwise

__all__ = ["MAX_STUDY_BYTES", "Complete", "Misfit", "parse_study", "read_study"]

MAX_STUDY_BYTES = 4 * 1024 * 1024
MAX_PLACE = 200
# A template has a word for each of 256 labels at most.
STUDY = Bounds(MAX_STUDY_BYTES, values=MAX_PARTS, nested=70_000, members=2_000, depth=32)
ONE_LINE = {number: " " for number in (*range(32), 127, 0x85, 0x2028, 0x2029)}
Complete = Callable[[Study], Study]
# What pydantic calls a fault -> the error's code.
CODES = {
    "extra_forbidden": "unknown-field",
    "missing": "field-missing",
    "misfit": "does-not-fit",
    "value_error": "does-not-fit",
}


class Misfit(Exception):
    """What a study has at ``place`` cannot be used; ``parse_study`` turns it into a StudyError with file and line."""

    def __init__(self, place: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.place, self.reason = place, reason


def read_study(path: Path, complete: Complete | None = None) -> Study:
    """Return the study in a file.

    Args:
        complete: checks what rooms above know (scorers' options) and fills its defaults in, or raises Misfit.

    Raises:
        StudyError: no such file, too large, not UTF-8, not YAML, or not a study; names file, line and field.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe that nobody writes to never ends
            raise StudyError(f"{path} is not a regular file; save the study to a file first", code="not-a-file")
        with path.open("rb") as file:
            data = file.read(MAX_STUDY_BYTES + 1)
        if len(data) > MAX_STUDY_BYTES:
            raise StudyError(
                f"{path}: a study file has at most {MAX_STUDY_BYTES:,} bytes; this file is larger", code="too-large"
            )
        return parse_study(data.decode("utf-8"), str(path), complete)
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{path}: not UTF-8 text (byte {error.start}); save the study as UTF-8", code="not-utf-8"
        ) from error
    except IsADirectoryError as error:
        raise StudyError(f"{path} is a folder; give the study's YAML file", code="not-a-file") from error
    except OSError as error:
        raise StudyError(
            f"{path} cannot be read ({error.strerror}); draft a study with 'fedprompt study new --data FILE'",
            code="cannot-read",
        ) from error


def parse_study(text: str, where: str = "study", complete: Complete | None = None) -> Study:
    """Return the study in a YAML text; ``where`` names it in messages, ``complete`` is as for :func:`read_study`.

    Raises:
        StudyError: the text is not YAML, is beyond its bounds, or is not a study.
    """
    if len(text) > MAX_STUDY_BYTES:
        raise StudyError(
            f"{where}: a study has at most {MAX_STUDY_BYTES:,} bytes; this text is larger", code="too-large"
        )
    try:
        document = read_yaml(text)
    except YamlProblem as error:
        raise _refused(where, error.line, error.place, error.reason, code="not-yaml") from error
    if document.root is None or document.root.kind != "mapping":
        raise StudyError(f"{where}: a study has 'key: value' lines, starting with 'study: NAME'", code="not-a-study")
    if (bare := bare_key(document)) is not None:
        raise _refused(where, *bare, code="key-is-no-text")
    try:
        study = checked_value(Study, document.value, STUDY)
        study = study if complete is None else complete(study)
    except Misfit as error:
        raise _refused(where, *_placed(document, error), code="does-not-fit") from error
    except Unfit as error:
        place = place_of(document, error.place)
        line, reason = document.find(place)[0], reason_of(document, place, error)
        raise _refused(where, line, place, reason, code=CODES.get(error.kind, "not-well-formed")) from None
    if (otherwise := told_otherwise(document, study)) is not None:
        raise _refused(where, *otherwise, code="said-otherwise")
    if (found := unshown(study)) is not None:
        raise _refused(where, document.find(found[0])[0], *found, code="case-not-shown")
    return study


def _placed(document: Document, error: Misfit) -> tuple[int, tuple[str | int, ...], str]:
    """Return line, place and reason; a value that was to be a text is told how to be one."""
    line, node = document.find(error.place)
    better = as_text(document, node, error.place) if node is not None and "valid string" in error.reason else None
    return line, error.place, error.reason if better is None else better


def _refused(where: str, line: int, place: tuple[str | int, ...], reason: str, *, code: str) -> StudyError:
    field = ".".join(str(part) for part in place)
    shown = f", {field[:MAX_PLACE]}" if field else "" if reason.startswith("not valid") else ", study"
    return StudyError(f"{where} line {line}{shown}: {reason}".translate(ONE_LINE), code=code)
