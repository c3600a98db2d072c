"""An error keeps its code wherever it goes; what it offers instead is another name, never the one that was refused."""

import copy
import pickle

from fedprompt.errors import DataError, FedPromptError, ModelMismatch, did_you_mean
from fedprompt.evaluation.scorers.registry import OptionError
from fedprompt.evaluation.tables.header import HeaderDoubt


def test_an_error_has_the_code_it_is_given_or_that_of_its_class() -> None:
    assert DataError("x.csv: empty", code="empty").code == "empty"
    assert (DataError("x.csv").code, ModelMismatch("m").code, FedPromptError("f").code) == (
        "data",
        "another-model",
        "failed",
    )
    assert DataError.code == "data"  # what one error is given stays its own


def test_a_copy_and_a_pickle_of_an_error_keep_its_code_and_what_it_holds() -> None:
    errors = (DataError("x", code="empty"), HeaderDoubt("a doubt", "why"), OptionError("f", "is odd", code="odd"))
    for error in errors:
        for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
            assert type(again) is type(error)
            assert (str(again), vars(again)) == (str(error), vars(error))
    assert vars(errors[1]) == {"code": "header-or-case", "why": "why"}


def test_a_refused_name_is_not_offered_again() -> None:
    assert did_you_mean("scripted", ["scripted"]) == ""
    assert did_you_mean("scriptd", ["scripted"]) == ", did you mean 'scripted'?"
