"""Named checks of test_mutants about setups: boards that are late, give up, or run on while a swap is played."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import SimpleNamespace

from rig.boards import server_log
from rig.clock import Clock
from rig.errors import LabFault
from rig.families.esp32.boards import servers
from rig.families.esp32.boards.updates import Updates
from rig.families.esp32.campaign import scenario_setup as esp32_setup
from rig.families.spark_core.campaign import scenario_setup as core_setup
from rig.families.spark_core.trust.key_scenario import OTHER_KEY
from rig.firmware.manifest import Image
from tests.rig.campaign.swap_setups import manifest
from tests.rig.servers.https.https_lab import DEVICE, https_lab
from tests.rig.stand_ins import Ticking
from tests.rig.trust.tls_clients import python_from


class LateBoard:
    """Looks for updates a while after its start, as every board does that has to boot first."""

    name, timing, clock = "late", SimpleNamespace(start=5.0, joins=0.0, between_attempts=0.1), Clock()

    def __init__(self, lab):
        self.servers = servers.Servers(lab.client, "127.0.0.9", board=self.name)
        self.updates = Updates(lab.client, DEVICE, board=self.name)
        self.looking = threading.Timer(0.5, python_from, (lab, "127.0.0.9", lab.ca))

    def power_off(self):
        pass

    def start(self):
        self.looking.start()


def a_look_lasts_until_the_board_has_looked(folder):
    image = Image("old", "esp32", "1.0.0", b"", "ok")
    with https_lab(folder) as lab:
        board = LateBoard(lab)
        seen = esp32_setup.Esp32ScenarioSetup(board, {"old": image}, image).look()
        board.looking.join()
        assert len(seen.handshakes) == 1, "the look was over before the board had looked"


class BootedFirst(esp32_setup.Esp32ScenarioSetup):
    """A board whose console says that it runs an image, whatever its servers have said by then."""

    def __init__(self, image):
        said = SimpleNamespace(version=lambda: image.version)
        self.offers = SimpleNamespace(withdraw=lambda: None)
        board = SimpleNamespace(name="b", log=said, timing=LateBoard.timing, clock=Clock(), updates=self.offers)
        board.servers = None
        super().__init__(board, {"old": image}, image)

    def _let_it_look(self):
        pass

    def _chosen(self):
        return self._runs.version


def a_board_may_be_told_of_before_its_servers_tell(_folder):
    image, seen = Image("new", "esp32", "2.0.0", b"four", "ok"), server_log.ServerLog()
    telling = threading.Timer(0.3, seen.whole.add, (len(image),))
    telling.start()
    came = BootedFirst(image)._comes_to_run(image, seen)
    telling.join()
    assert came, "the whole image left and runs, and counts as lost since the console was quicker"


def an_image_that_came_is_offered_no_longer(_folder):
    """Firmware that compares no versions fetches what is offered after each start, and is restarting when asked."""
    image, done = Image("new", "esp32", "2.0.0", b"four", "ok"), []
    setup = BootedFirst(image)
    setup.offers.withdraw = lambda: done.append("withdrawn")
    setup._let_it_look = lambda: done.append("looked")
    assert setup._comes_to_run(image, server_log.ServerLog(whole={len(image)}))
    assert done == ["withdrawn", "looked"], "it looks for updates again, and fetches the same one for ever"


class CutTooLate(esp32_setup.Esp32ScenarioSetup):
    """A board that had all of an image when its supply went, the first time."""

    def __init__(self):
        self.done, self.preset = [], iter(("new", "old"))
        board = SimpleNamespace(name="b", updates=True, servers=None)
        board.power_off, board.flash = partial(self.done.append, "off"), lambda _set: self.done.append("flash")
        roles = manifest().roles("esp32")
        super().__init__(board, roles, roles["old"])

    def _offered(self, _image):
        return nullcontext()

    def _held_half_way(self, _image):
        return nullcontext()

    def _chosen(self):
        return self._roles[next(self.preset)].version


def a_cut_that_came_too_late_is_made_again(_folder):
    setup = CutTooLate()
    setup.cut_fetch()
    assert setup.done == ["off", "flash", "off", "off", "off"], "it runs the new image, which counts as cut"


class GivesUpOnce(esp32_setup.Esp32ScenarioSetup):
    """A board whose client gives its first download up before half of it has come."""

    def __init__(self, times):
        self.starts, self._times, self._seen = 0, times, None
        updates = SimpleNamespace(clear_faults=lambda: None, fault=lambda *_what, **_how: None)
        timing = SimpleNamespace(start=0.1, joins=0.0)
        board = SimpleNamespace(
            name="b", timing=timing, clock=Clock(), updates=updates, servers=self, start=self._start
        )
        board.power_off = lambda: None
        roles = manifest().roles("esp32")
        super().__init__(board, roles, roles["old"])

    @contextmanager
    def watched(self):
        self._seen = server_log.ServerLog()
        yield self._seen

    def _start(self):
        self.starts += 1
        self._seen.use({"event": "aborted"} if self.starts <= self._times else ALL)


ALL = {"event": "progress", "start": 0, "sent": 9_000_000, "of": 9_000_000}


def a_download_that_was_given_up_is_begun_anew(_folder):
    setup, met = GivesUpOnce(2), False
    with suppress(LabFault), setup._held_half_way(manifest().roles("esp32")["new"]) as seen:
        met = seen.sent > 0
    assert met, "a client gave up once, and that is the lab's fault"
    assert setup.starts == 3


class LateToTry(core_setup.CoreScenarioSetup, Ticking):
    """A Core that is locked out, and tries for the first time when its start is long over; its clock is its own."""

    def __init__(self):
        Ticking.__init__(self)
        self.told = []
        self._board = SimpleNamespace(timing=SimpleNamespace(start=10.0), clock=self, start=lambda: None)
        self._online = SimpleNamespace(is_back=lambda: False)

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.now() > 30 and not self.told:
            self.told.append("other-key")

    @contextmanager
    def _watched(self):
        yield server_log.ServerLog(), self.told


def a_core_is_waited_for_until_it_has_tried(_folder):
    assert LateToTry().look().failures == (OTHER_KEY,), "a Core that was slow to try counts as one that does not"


class SlowTransfer(core_setup.CoreScenarioSetup):
    """A Core to which the second half of an image takes a while."""

    def __init__(self):
        timing = SimpleNamespace(ota_copy=0.01)
        self._board, self._under_way = SimpleNamespace(timing=timing, clock=Clock()), threading.Event()
        self._under_way.is_alive, self._long, self.over = lambda: True, None, threading.Event()

    @contextmanager
    def _half_sent(self, _image):
        rest = threading.Timer(0.5, self.over.set)
        rest.start()
        yield self.over
        self.came = self.over.is_set()
        rest.join()

    def _holds(self, _image):
        return self.came


def a_transfer_is_let_come_to_its_end(_folder):
    assert SlowTransfer().fetch(lambda: None), "the Core was restarted under its own transfer"


class StillRuns(esp32_setup.Esp32ScenarioSetup):
    """A board that runs, and would take at once what it is offered."""

    def __init__(self):
        self.has_power, self.took = True, []
        updates = SimpleNamespace(
            clear_faults=lambda: None, fault=self._take, offer=self._take, withdraw=lambda: None, mac=DEVICE
        )
        timing = SimpleNamespace(start=0.0, joins=0.0)
        board = SimpleNamespace(
            name="b", updates=updates, servers=self, timing=timing, clock=Ticking(), start=self._start
        )
        image = Image("old", "esp32", "1.0.0", b"four", "ok")
        super().__init__(board, {"old": image, "new": image}, image)

    def _take(self, what, **_how):
        if self.has_power:
            self.took.append(what)

    def _start(self):
        self.has_power = True

    def power_off(self):
        self.has_power = False

    @contextmanager
    def watched(self):
        yield server_log.ServerLog()


def what_is_for_the_next_start_is_not_offered_to_a_board_that_runs(_folder):
    setup = StillRuns()
    with suppress(LabFault):
        setup.fetch(lambda: None)
    assert setup.took == [], "the start of before took what was meant for this one"
