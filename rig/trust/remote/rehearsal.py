"""A rehearsal: the server's own nginx loads one chain and key, in a configuration with nothing else, before it is live.

A key that does not fit or a file that cannot be read is found here.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from rig.trust.remote.releases import CHAIN, KEY, PASSABLE
from rig.trust.remote.session import Session

#: Modules with a folder for temporary files, which a test wants: not where the live ones are.
_BUFFERING = ("proxy", "fastcgi", "uwsgi", "scgi")


def rehearse(session: Session, nginx: Sequence[str], release: str) -> str | None:
    """Let nginx load the pair in the folder `release`; returns what it complains of, None for nothing."""
    temporary = temporary_folders(release, session.run([*nginx, "-V"]).err)
    for path in (f"{release}/rehearsal", *temporary):
        session.make_folder(path, PASSABLE)
    file = f"{release}/rehearsal/nginx.conf"
    session.put(file, rehearsal(release, temporary).encode(), 0o644)
    done = session.run([*nginx, "-t", "-c", file])
    if done.status:
        return complaint(done.err)
    session.remove(f"{release}/rehearsal")
    return None


def temporary_folders(release: str, built: str) -> list[str]:
    """Folders that are to be there before the rehearsal; `built` is what `nginx -V` says.

    A test makes those that are missing, and may not be allowed to: nginx need not run as who logs in.
    """
    modules = ["client_body", *(name for name in _BUFFERING if f"--without-http_{name}_module" not in built)]
    return [f"{release}/rehearsal/{name}" for name in modules]


def rehearsal(release: str, temporary: Sequence[str]) -> str:
    """A configuration for the pair in the folder `release`, with `temporary_folders`.

    Suites of any strength are allowed, so that only the whole configuration judges what is too weak for it. A test
    opens what is listened on: a socket where everybody may make one, and so by a name that nobody can know before; its
    path may have 107 bytes only. It opens the file of the process's number, too, and leaves this one as it is.
    """
    paths = "\n".join(f"    {path.rpartition('/')[2]}_temp_path {quoted(path)};" for path in temporary)
    return f"""pid /dev/null;
error_log stderr;
events {{}}
http {{
    access_log off;
{paths}
    server {{
        listen unix:/tmp/rehearsal-{secrets.token_hex(16)}.sock ssl;
        ssl_ciphers ALL:@SECLEVEL=0;
        ssl_certificate {quoted(f"{release}/{CHAIN}")};
        ssl_certificate_key {quoted(f"{release}/{KEY}")};
    }}
}}
"""


def quoted(path: str) -> str:
    """A path as nginx's configuration writes it."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def complaint(text: str) -> str:
    """What nginx complains of: its first line of that level, without time and process."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "[emerg]" in line or "[error]" in line] or lines[-1:] or ["nothing was said"]
    return wrong[0].partition("[emerg] ")[2] or wrong[0]
