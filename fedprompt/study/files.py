"""Reads a study file: YAML, bounded, with the file, line and field of whatever is wrong."""

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.errors import StudyError
from fedprompt.study.schema import Study

__all__ = ["MAX_STUDY_BYTES", "Complete", "Misfit", "parse_study", "read_study"]

MAX_STUDY_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
# 1000 templates of 64 messages each would be above it; a template has a word for each of 256 labels at most.
STUDY = Bounds(MAX_STUDY_BYTES, values=300_000, nested=70_000, members=2_000, depth=MAX_DEPTH)
Complete = Callable[[Study], Study]


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
            raise StudyError(f"{path}: is not a regular file; save the study to a file first")
        with path.open("rb") as file:
            data = file.read(MAX_STUDY_BYTES + 1)
        if len(data) > MAX_STUDY_BYTES:
            raise StudyError(f"{path}: a study file is at most {MAX_STUDY_BYTES:,} bytes; this is not one")
        return parse_study(data.decode("utf-8"), str(path), complete)
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not UTF-8 text (byte {error.start}); save the study as UTF-8") from error
    except IsADirectoryError as error:
        raise StudyError(f"{path}: is a folder; give the study's YAML file") from error
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be read ({error.strerror}); 'fedprompt study new --data FILE' drafts one"
        ) from error


def parse_study(text: str, where: str = "study", complete: Complete | None = None) -> Study:
    """Return the study in a YAML text; ``where`` names it in messages, ``complete`` is as for :func:`read_study`.

    Raises:
        StudyError: the text is not YAML, uses aliases, or is not a study.
    """
    try:
        _refuse_unbounded(text, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise StudyError(
            f"{where}{line}: not valid YAML ({getattr(error, 'problem', None) or 'unreadable'})"
        ) from error
    except (RecursionError, ValueError) as error:
        raise StudyError(f"{where}: not valid YAML ({type(error).__name__})") from error
    if not isinstance(body, dict) or node is None:
        raise StudyError(f"{where}: a study is a list of 'key: value' lines, beginning with 'study: NAME'")
    _refuse_twice(node, where)
    try:
        study = checked_value(Study, body, STUDY)
        return study if complete is None else complete(study)
    except Misfit as error:
        field = ".".join(str(part) for part in error.place)
        raise StudyError(f"{where} line {_line(node, error.place)}, {field}: {error.reason}") from error
    except Unfit as error:
        field = ".".join(map(str, error.place)) or "study"
        reason = error.reason
        if error.kind == "extra_forbidden":
            reason = "is not a field of a study; check the spelling"
        raise StudyError(f"{where} line {_line(node, error.place)}, {field}: {reason}") from None


def _refuse_unbounded(text: str, where: str) -> None:
    """Refuse what makes a small file large or slow: aliases, and nesting deeper than any study's."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise StudyError(f"{where}: YAML aliases (*name) are not allowed in a study; write the text out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            line = 1 if mark is None else mark.line + 1
            raise StudyError(f"{where} line {line}: not valid YAML for a study (nested deeper than {MAX_DEPTH})")


def _refuse_twice(root: yaml.Node, where: str) -> None:
    """Refuse a key that a mapping has twice: YAML would keep the last without a word."""
    found: list[tuple[yaml.Node, str]] = [(root, "")]
    while found:
        node, at = found.pop()
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = f"{at}{key.value}" if isinstance(key, yaml.ScalarNode) else at
                if name in seen:
                    line = key.start_mark.line + 1
                    raise StudyError(f"{where} line {line}, {name}: is given twice; keep one of the two")
                seen.add(name)
                found.append((value, f"{name}."))
        elif isinstance(node, yaml.SequenceNode):
            found.extend((value, f"{at}{place}.") for place, value in enumerate(node.value))


def _line(node: yaml.Node, path: Sequence[str | int]) -> int:
    """Return the 1-based line of the deepest node along ``path`` that the file has."""
    line = node.start_mark.line
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1
