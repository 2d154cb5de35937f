"""What is written on each sandbox at E2B, so that it can be found again after a crash."""

from collections.abc import Mapping

import msgspec


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Who a sandbox belongs to.

    Attributes
    ----------
    cluster : str
        Name of the cluster; nothing of another is ever touched.
    run : str
        Id of the process, or of its start, that made the sandbox. It dies with it.
    launch : str
        Number of the sandbox within the run.
    owner : str
        Whom the work is for; costs are told by owner.
    template, digest : str
        What it was furnished with.
    """

    cluster: str
    run: str
    launch: str = ""
    owner: str = ""
    template: str = ""
    digest: str = ""

    def metadata(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return what is sent: ours, over `more` of the caller's."""
        return {**more, **msgspec.to_builtins(self)}


def labels_of(metadata: Mapping[str, str]) -> Labels:
    """Read the labels of a sandbox; what is missing is empty."""
    return Labels(**{name: str(metadata.get(name, "")) for name in Labels.__struct_fields__})
