"""Hall's interval by another way than that of the code."""

from scipy import optimize, stats


def halls(value, error, degrees, skew):
    """Ends of the interval of Hall's skewness-corrected t, by searching for them, and p of 0.

    Args:
        value: The mean.
        error: Its standard error.
        degrees: Degrees of freedom of t.
        skew: The skewness of the mean.
    """

    def corrected(t, less=0.0):
        return t - less + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6

    t = stats.t(degrees)
    ends = [optimize.brentq(corrected, -1e3, 1e3, args=(t.ppf(q),)) for q in (0.975, 0.025)]
    low, high = (value - end * error for end in ends)
    return low, high, 2 * t.sf(abs(corrected(value / error)))
