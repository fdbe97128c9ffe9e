"""The tiny world, built once."""

from tests.unit.world.conftest import tiny  # noqa: F401
