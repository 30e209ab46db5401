"""Settings for all tests."""

import os

from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # a core for each worker; read by torch when it is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# how long an example takes says more about the machine than about the code
settings.register_profile("kmm", deadline=None)
settings.load_profile("kmm")
