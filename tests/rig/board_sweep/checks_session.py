"""Named checks of test_mutants about a board sweep in its folder: gone on with by the same rules, and never changed."""

from __future__ import annotations

from rig.board_sweep.session import Session
from rig.board_sweep.stratum import Fell
from rig.board_sweep.task import Rules
from rig.errors import Misuse
from rig.evidence.ledger import Ledger
from rig.evidence.verify import verify
from rig.gate.policy import Policy
from tests.rig.board_sweep.made_up import swept

RULES = Rules(5, Policy())


def one_session(folder, *, resumes: bool) -> None:
    """A command that made one cut, and came to its end."""
    rules, session = RULES, Session.resume(folder, RULES) if resumes else Session.begin(folder, RULES)
    with Ledger(session.segment("core-01")) as ledger:
        begun = {"segment": ledger.path.name, "place": "core-01", "board": "spark-core", "variant": ""}
        ledger.append("board-sweep", {"run": session.run_id, **begun, "images": {"old": "00"}, **rules.to_dict()})
        ledger.append("swept", {"run": session.run_id, **swept(session.tally.next_number).to_dict()})
    try:
        is_ended = bool(session.end())
    except Misuse:
        is_ended = False
    assert is_ended, "its ledger is not what it was"


def refused(folder, rules: Rules = RULES) -> str:
    """Why a sweep is not gone on with; empty where it is."""
    try:
        Session.resume(folder, rules).end()
    except Misuse as error:
        return error.message
    return ""


def a_session_goes_on_in_segments_of_its_own(folder):
    texts = []
    for number in range(3):
        one_session(folder, resumes=number > 0)
        texts.append({path.name: path.read_bytes() for path in folder.glob("ledger/*.jsonl")})
        assert verify(folder).findings == []
    assert sorted(texts[-1]) == ["core-01.1.jsonl", "core-01.2.jsonl", "core-01.3.jsonl"]
    assert texts[-1] == {**texts[2], **texts[1], **texts[0]}, "nothing that was written is touched"


def a_session_knows_what_was_before_it(folder):
    one_session(folder, resumes=False)
    one_session(folder, resumes=True)
    tally = Session.resume(folder, RULES).tally
    assert [(cut.number, cut.fell) for cut in tally.cuts] == [(1, Fell.LANDED), (2, Fell.LANDED)]
    assert tally.next_number == 3


def a_sweep_that_was_changed_is_not_gone_on_with(folder):
    one_session(folder, resumes=False)
    segment = folder / "ledger" / "core-01.1.jsonl"
    whole = segment.read_bytes()
    segment.write_bytes(whole[: whole.index(b"\n") + 1])
    assert "is not what it was when its run ended" in refused(folder)


def another_policy_or_seed_does_not_go_on_with_a_sweep(folder):
    one_session(folder, resumes=False)
    for rules in (Rules(6, Policy()), Rules(5, Policy(prior=(1, 1)))):
        assert "another seed or policy" in refused(folder, rules)
    assert refused(folder) == ""


def other_images_do_not_go_on_with_a_sweep(folder):
    one_session(folder, resumes=False)
    session = Session.resume(folder, RULES)
    session.check_images("spark-core", "", {"old": "00"})
    session.check_images("spark-core", "generation=a", {"old": "11"})
    try:
        session.check_images("spark-core", "", {"old": "22"})
        told = ""
    except Misuse as error:
        told = error.message
    session.end()
    assert "with other images" in told
