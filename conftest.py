"""The tests of this project. The plugin loads by itself; an installation from before it did so loads it here."""

import pytest

from rig.suites.board_tests import wanted_by

pytest_plugins = ["rig.plugin"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Tests of the rig that are long are left out like those of boards, and files share workers where no board does."""
    if not config.option.rig_long:
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    if hasattr(config, "workerinput") and not any(map(wanted_by, items)):  # else the plugin tells of all
        from rig.suites.handover import CollectedTests
        from rig.suites.run_settings import handover_of

        handover_of(config).report_collected(CollectedTests.of(items))
