"""What an error offers instead is another name, never the one that was refused."""

from fedprompt.errors import did_you_mean


def test_a_refused_name_is_not_offered_again() -> None:
    assert did_you_mean("scripted", ["scripted"]) == ""
    assert did_you_mean("scriptd", ["scripted"]) == ", did you mean 'scripted'?"
