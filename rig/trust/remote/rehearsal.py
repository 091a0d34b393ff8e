"""A configuration of nginx's with one chain and key and nothing else, to be tested; and what nginx complains of."""

from __future__ import annotations

from pathlib import PurePosixPath

from rig.trust.remote.releases import CHAIN, KEY

#: Modules with a folder for temporary files, which a test makes: not where the live ones are.
_BUFFERING = ("proxy", "fastcgi", "uwsgi", "scgi")


def rehearsal(release: str, built: str) -> str:
    """A configuration for the pair in the folder `release`; `built` is what `nginx -V` says.

    Suites of any strength are allowed, so that only the whole configuration judges what is too weak for it. The socket
    is one that nobody uses, since a test opens what is listened on; its path may have 107 bytes only, so it is short.
    """
    folder = f"{release}/rehearsal"
    modules = ["client_body", *(name for name in _BUFFERING if f"--without-http_{name}_module" not in built)]
    temporary = "\n".join(f"    {name}_temp_path {quoted(f'{folder}/{name}')};" for name in modules)
    return f"""pid {quoted(f"{folder}/pid")};
error_log stderr;
events {{}}
http {{
    access_log off;
{temporary}
    server {{
        listen unix:/tmp/rehearsal-{PurePosixPath(release).name}.sock ssl;
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
