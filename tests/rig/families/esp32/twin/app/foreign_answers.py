"""Answers of update servers that are not ours, as scripts for a server in memory: what servers of the field do."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rig.families.esp32.twin.app.app_board import NEW, built
from tests.rig.families.esp32.twin.app.app_server import HOST, Answer, Answers, Asked, answer, serving

IMAGE = built(NEW)
#: Longer than any number of tries: what goes on so long goes on for ever.
MANY = 40
BASIC = 'Basic realm="rig"'


def head_refused(status: int) -> Answers:
    """HEAD is refused, as signed storage URLs do; GET has ranges."""
    return lambda asked: answer(status) if asked.method == "HEAD" else serving(IMAGE)(asked)


def head_without_length(**headers: str) -> Answers:
    return lambda asked: answer(200, Content_Length="", **headers) if asked.method == "HEAD" else serving(IMAGE)(asked)


def head_says(length: int) -> Answers:
    """HEAD tells another length than the image has."""
    return lambda asked: answer(200, Content_Length=str(length)) if asked.method == "HEAD" else serving(IMAGE)(asked)


def not_modified_for_all(_asked: Asked) -> Answer:
    return answer(304)


def without_length(by: str, body: bytes = IMAGE) -> Answers:
    """A body that ends where the connection does, in one of its ways."""
    head = answer(200, Content_Length="").data
    return lambda _asked: Answer(head + body, by=by)  # type: ignore[arg-type]


def cut_short(by: str) -> Answers:
    """The server leaves after half of what it promised."""
    head = answer(200, Content_Length=str(len(IMAGE))).data
    return lambda _asked: Answer(head + IMAGE[:50_000], by=by)  # type: ignore[arg-type]


@dataclass
class Challenging:
    """401, so many times; then the image. A copy begins anew."""

    challenge: str
    left: int = MANY

    def __call__(self, asked: Asked) -> Answer:
        self.left -= 1
        if self.left < 0:
            return serving(IMAGE)(asked)
        return answer(401, WWW_Authenticate=self.challenge) if self.challenge else answer(401)


def redirecting(location: str, status: int = 302) -> Answers:
    return lambda asked: answer(status, Location=location) if asked.path == "/image.bin" else serving(IMAGE)(asked)


def chain(hops: int, *, method: str = "GET") -> Answers:
    """So many redirects to one host, each to the next; then the image. Other methods are not sent on."""

    def answers(asked: Asked) -> Answer:
        hop = int(asked.path.rpartition("/")[2]) if asked.path.startswith("/hop/") else 0
        if hop < hops and asked.method == method:
            return answer(302, Location=f"https://{HOST}/hop/{hop + 1}")
        return serving(IMAGE)(asked)

    return answers


@dataclass
class ChallengingBehind:
    """So many redirects, of one method; who arrives and asks for the image is challenged so many times."""

    hops: int
    challenges: int
    method: str = "GET"

    def __call__(self, asked: Asked) -> Answer:
        given = chain(self.hops, method=self.method)(asked)
        if asked.method == "HEAD" or given.data.startswith(b"HTTP/1.1 302"):
            return given
        self.challenges -= 1
        return given if self.challenges < 0 else answer(401, WWW_Authenticate=BASIC)


def leaving_after_a_redirect(asked: Asked) -> Answer:
    """An answer that says that the connection is over with it."""
    if asked.path == "/image.bin":
        sent = answer(302, Location=f"https://{HOST}/other.bin", Connection="close")
        return Answer(sent.data)
    return serving(IMAGE)(asked)


def ranges_ignored(_asked: Asked) -> Answer:
    """A plain file server that knows no ranges: always all of it."""
    if _asked.method == "HEAD":
        return answer(200, Content_Length=str(len(IMAGE)))
    return answer(200, IMAGE)
