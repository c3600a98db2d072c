"""What a test asks of an error: its code, which stays while its sentence may be written better."""

from collections.abc import Callable

__all__ = ["coded"]


def coded(*codes: str, names: str = "") -> Callable[[BaseException], bool]:
    """Return a ``check`` for ``pytest.raises``: the error has one of these codes, and its sentence holds ``names``."""

    def check(error: BaseException) -> bool:
        found = getattr(error, "code", None)
        assert found in codes, f"the code is {found!r} and not {' or '.join(codes)}: {error}"
        assert names in str(error), f"{names!r} is not named: {error}"
        return True

    return check
