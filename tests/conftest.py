"""What all tests share: how hypothesis behaves on machines that are slow, shared, or must repeat themselves."""

import os

from hypothesis import HealthCheck, settings

# A slow machine is no defect of a test. In CI the same examples are run every time, so that a failure is the change's.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("house")
