"""Any error becomes one sentence."""

import errno

from fedprompt.errors import DataError
from fedprompt.workspace.failure import sentence_of


def test_own_errors_speak_for_themselves() -> None:
    assert sentence_of(DataError("x.csv: empty")) == "x.csv: empty"


def test_a_full_disk_is_recognised_behind_another_error() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/home/x/bank.db")
        except OSError as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as error:
        assert sentence_of(error).startswith("the disk is full (/home/x/bank.db); free some space")


def test_a_surprise_says_where_to_read_on() -> None:
    assert sentence_of(KeyError("a")) == "an unexpected error (KeyError: 'a'); the log has the details"
