"""What one check found."""

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the verdict.

    Attributes
    ----------
    check : str
        Name of the check.
    passed : bool
    text : str
        One sentence: what was seen, and where first.
    """

    check: str
    passed: bool
    text: str
