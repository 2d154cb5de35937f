"""Ray reads its authentication mode when it is imported, and some tests import it early."""

import os

os.environ.setdefault("RAY_AUTH_MODE", "token")
