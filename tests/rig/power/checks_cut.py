"""Checks of a cut: its delay and its event, each with a planted fault."""

from __future__ import annotations

from tests.rig.power import test_cut


def a_cut_waits_for_its_delay(tmp_path):
    # Long against what a busy machine may take to wake a thread: a hasty cut must not look like a patient one.
    test_cut.test_the_command_leaves_no_earlier_than_its_delay(1000)


def a_cut_waits_for_its_event(tmp_path):
    test_cut.test_nothing_is_cut_when_nothing_matched()
