"""What holds of somebody's own tests: how they are called, which are left alone, what limits them, where they run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.clock import Clock, wait_for
from rig.errors import LabFault
from rig.lab.acquisition import Boards
from rig.suites.run_settings import FOUND
from rig.suites.time_limit import time_limit
from rig.suites.titles import title_of

SENTENCE = "it's a case, in words"
OF_BOARDS = f"""
import pytest

@pytest.mark.board("spark-core")
@pytest.mark.parametrize("case", ["{SENTENCE}", "word"])
def test_it(board, case):
    assert board
"""
OF_OTHERS = f"""
import pytest

@pytest.mark.parametrize("case", ["{SENTENCE}", "word"])
def test_first(case):
    assert case

@pytest.mark.long
def test_second():
    assert True
"""


class _Collected:
    """A pytest plugin that keeps what was collected, and says nothing. `late` is registered last, as a worker's is."""

    items = ()

    def __init__(self, late=None):
        self._late = late

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config):
        config.pluginmanager.unregister(name="terminalreporter")
        if self._late is not None:
            config.pluginmanager.register(self._late)

    def pytest_collection_finish(self, session):
        self.items = list(session.items)


class _Worker:
    """Stands for pytest-xdist's worker, which tells its controller that all is collected once its turn comes."""

    is_found = False

    def pytest_collection_finish(self, session):
        self.is_found = FOUND in session.config.stash


def collected(folder, text, *options, late=None):
    """What pytest collects of a file with this text, in this process."""
    file = folder / f"test_{folder.name.replace('-', '_')}.py"
    file.write_text(text)
    found = _Collected(late)
    words = ["--collect-only", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:labgrid", "--rootdir", str(folder)]
    pytest.main([*words, "-c", "/dev/null", *options, str(file)], plugins=[found])
    return found.items


def a_case_has_an_id_that_k_takes(folder):
    items = collected(folder, OF_BOARDS, "-k", "its-a-case-in-words")
    assert [item.name for item in items] == ["test_it[its-a-case-in-words]"]


def a_case_keeps_its_sentence_as_its_title(folder):
    titles = [title_of(item) for item in collected(folder, OF_BOARDS)]
    assert [title.partition(": ")[2] for title in titles] == [f"it [{SENTENCE}]", "it [word]"]


def tests_of_others_are_left_as_they_are(folder):
    names = [item.name for item in collected(folder, OF_OTHERS)]
    assert names == [f"test_first[{SENTENCE}]", "test_first[word]", "test_second"]


def what_tests_ask_for_is_known_before_the_controller_is_told(folder):
    worker = _Worker()
    assert len(collected(folder, OF_BOARDS, late=worker)) == 2
    assert worker.is_found


def a_test_over_its_time_says_what_it_waited_for(_folder):
    """Nothing that handles errors on the way takes it for one of a board."""
    message = ""
    try:
        with time_limit(0.05), contextlib.suppress(Exception):
            wait_for(lambda: None, seconds=2, reason="the LED to blink", clock=Clock(), board="core-01")
    except (pytest.fail.Exception, LabFault) as failure:
        message = str(failure)
    assert message.startswith("took longer than 0.05 s: it waited for the LED to blink (")


def only_the_place_that_is_meant_is_taken(_folder):
    boards = Boards("127.0.0.1:1", Path("nowhere.yaml"), only="core-02")
    place = SimpleNamespace(tags={"board": "spark-core"})
    boards._coordinator = SimpleNamespace(places=lambda: {"core-01": place, "core-02": place})
    assert list(boards._fitting("spark-core", {})) == ["core-02"]
