"""What a study's secure sums mean to a site, in a sentence, for its operator before the study is accepted."""

from fedprompt.study.schema import Study

__all__ = ["summed_told"]


def summed_told(study: Study, numbers: str) -> str:
    """Return what leaves in a round of a study that asks for secure sums.

    Args:
        study: it has rounds.
        numbers: how many an update has, in words.
    """
    sums = study.rounds.secure_sums
    assert sums is not None
    many = "" if sums.sites is None else f" of {len(sums.sites)}"
    return (
        f"each round, an update of {numbers} numbers, masked. The hub learns the sum over at least "
        f"{sums.least_of(0)}{many} sites and no single update. Public keys, sealed shares of the masks' secrets, and "
        "signatures leave too"
    )
