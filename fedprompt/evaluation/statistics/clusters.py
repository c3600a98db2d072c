"""Cases that come in groups (a patient's notes) tell less than as many independent ones: how much less.

Cluster-robust variance of a mean: Liang and Zeger (1986), Biometrika 73:13-22; the effective size is Kish's
(1965), n over the design effect. Invariant: without groups the effective size is n, and it is never more.
"""

__all__ = ["cluster_variance", "effective_n", "was_rounded"]


def cluster_variance(n: int, groups: int, group_squares: float) -> float | None:
    """Return the variance of the mean over ``n`` cases, or None for fewer than two groups.

    Args:
        n: cases.
        groups: independent groups among them.
        group_squares: sum over groups of the squared sum of residuals (value minus mean).

    Raises:
        ValueError: more groups than cases, or a negative sum of squares.
    """
    _check(n, groups, group_squares)
    if groups < 2:
        return None
    return groups / (groups - 1) * group_squares / (n * n)


ROUNDED = 1.02  # so many times what the values make, from which on the sum over groups holds an error of rounding


def was_rounded(n: int, total: float, squares: float, groups: int, group_squares: float) -> bool:
    """Whether independent values vary less than ``group_squares`` says, since their sum was rounded before it was told.

    The arguments are as in :func:`effective_n`.
    """
    spread = 0.0 if n == 0 else squares - total * total / n
    return groups == n and group_squares > ROUNDED * spread + 1e-6


def effective_n(n: int, total: float, squares: float, groups: int, group_squares: float) -> float | None:
    """Return how many independent cases tell as much about the mean, between 1 and ``n``; None over no cases.

    Args:
        n: cases.
        total: sum of the values.
        squares: sum of their squares.
        groups: independent groups among them, ``n`` where there are none.
        group_squares: sum over groups of the squared sum of residuals (value minus mean).

    Raises:
        ValueError: more groups than cases, or a negative sum of squares.
    """
    _check(n, groups, group_squares)
    if n == 0:
        return None
    spread = squares - total * total / n
    if was_rounded(n, total, squares, groups, group_squares):
        # Half a case each way, since a rounded sum of all or none does not say that all are alike.
        rate = (total + 0.5) / (n + 1)
        own = n * rate * (1 - rate)
        return max(1.0, n * own / (own + group_squares - spread))
    if groups == n:
        return float(n)
    clustered = cluster_variance(n, groups, group_squares)
    if clustered is None:
        return 1.0
    if spread <= 1e-12 * max(squares, 1.0) or clustered <= 0:
        # All values alike say nothing of how alike a group is; then each group counts as one case.
        return float(groups)
    return min(float(n), max(1.0, spread / (n - 1) / clustered))


def _check(n: int, groups: int, group_squares: float) -> None:
    if n < 0 or not (1 if n else 0) <= groups <= n or group_squares < 0:
        raise ValueError(f"{n} cases in {groups} groups: there are 1 to n groups, and squares are not negative")
