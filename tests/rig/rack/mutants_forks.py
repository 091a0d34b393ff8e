"""Planted faults of processes that a fork server makes; they are planted in the server, a process of its own."""

from __future__ import annotations

import sys

from rig.families.esp32.lab.rack_slot import Esp32Slot
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.rack import fork_server, rack
from rig.rack.plan import RackPlan
from rig.rack.title import ROOM
from tests.rig.rack import checks_forks as check

CHAINED = """
def fork_for(starter):
    me = os.getpid()
    if os.fork():
        return 0
    forking.exit_with_parent(me)
    return me
forking.fork_for, os.setsid = fork_for, lambda: None
"""
OF_THE_SERVER = """
def fork_for(starter):
    pid = os.fork()
    return pid or forking.exit_with_parent(os.getppid()) or 0
forking.fork_for = fork_for
"""
SEEDED = """
run = forking.runpy.run_module
forking.runpy.run_module = lambda *words, **how: forking.random.seed(7) or run(*words, **how)
"""
REQUESTS_LEFT = """
dup2 = os.dup2
os.dup2 = lambda file, number: number and dup2(file, number)
"""
UNTITLED = "forking.set_title = lambda command: None"
THREADS = "os.listdir = lambda _folder: ['1']"


def _planted(fault):
    """The server with a fault in it."""
    code = f"import os\nfrom rig.rack import forking\n{fault}\nforking.main()"
    return lambda m: m.setattr(fork_server, "PROGRAM", [sys.executable, "-c", code, ROOM])


def _everything(m):
    """Every kind of board that is known is loaded, whatever the rack is made of."""
    programs = rack.programs
    m.setattr(rack, "programs", lambda _plan: programs(RackPlan([CoreSlot(), Esp32Slot()])))


MUTANTS = {
    "forks: one that dies takes others with it": (_planted(CHAINED), check.one_that_is_killed_harms_no_other),
    "forks: the server that dies takes all with it": (
        _planted(OF_THE_SERVER),
        check.none_needs_the_server_that_made_it,
    ),
    "forks: all draw the same random numbers": (_planted(SEEDED), check.each_draws_random_numbers_of_its_own),
    "forks: one reads requests for others": (_planted(REQUESTS_LEFT), check.nothing_of_the_server_is_left_in_it),
    "forks: all are called as the server is": (_planted(UNTITLED), check.ps_shows_its_own_command),
    "forks: a process with threads is forked": (_planted(THREADS), check.none_is_forked_from_threads),
    "forks: boards are loaded that the rack has not": (_everything, check.only_families_of_the_rack_are_loaded),
}
