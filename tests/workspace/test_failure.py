"""Any error becomes one sentence."""

import errno
import re

from fedprompt.errors import DataError
from fedprompt.workspace.failure import Failure, Traces, failure_of, sentence_of


def test_own_errors_speak_for_themselves() -> None:
    assert failure_of(DataError("x.csv: empty", code="empty")) == Failure("x.csv: empty", "empty")


def test_a_full_disk_is_recognised_behind_another_error() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/home/x/bank.db")
        except OSError as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as error:
        assert sentence_of(error).startswith("the disk is full (/home/x/bank.db); free some space")
        assert failure_of(error).code == "disk-full"


def test_a_surprise_says_its_kind_and_where_to_read_on_but_not_what_it_quotes() -> None:
    assert failure_of(KeyError("Jane Roe")) == Failure(
        "an unexpected error (KeyError); the log has the details", "unexpected"
    )
    try:
        {}["Jane Roe"]
    except KeyError as error:
        assert re.fullmatch(
            r"an unexpected error \(KeyError at test_failure\.py:\d+\); the log has the details", sentence_of(error)
        )


def test_a_trace_gives_lines_of_code_and_kinds_of_errors_and_only_our_own_messages() -> None:
    try:
        try:
            int("Jane Roe".strip())
        except ValueError as error:
            raise DataError("x.csv line 3: no number") from error
    except DataError as error:
        trace = Traces().formatException((type(error), error, error.__traceback__))
    assert trace.splitlines()[-1] == "DataError: x.csv line 3: no number"
    assert "ValueError" in trace.splitlines() and "test_failure.py" in trace
    assert "invalid literal" not in trace
