"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# A test states a property; how long a busy machine takes to try it is none.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
