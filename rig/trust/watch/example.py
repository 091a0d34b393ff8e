"""A config that people begin with: every table once, with comments."""

EXAMPLE = """\
# What `rig trust watch` looks at, and whom it tells. Put your own in place of what is here: manifest, pins, endpoints
# and channels are only examples, and --check-config says which are not there. Paths are beside this file.
every = 10              # minutes between looks at an endpoint
jitter = 0.2            # each pause is up to this share shorter or longer
longest_pause = 60      # minutes; pauses double while nobody answers
timeout = 10            # seconds for one address; its second and third look have half as much again, and twice
look_again = 5          # seconds until that second look; three without an answer are a fact
at_once = 100           # addresses looked at at the same time
state = "watch-state"   # what was seen and told; it survives kill -9

# Firmware in the field. `pins` has NAME.pem for each pin, bundle.pem for the public roots.
manifest = "manifest.toml"
pins = "pins"
# roots = "roots.pem"   # chains must lead to one of these (file or folder); without it, this system's

[thresholds]
ends = [14, 7, 1]             # days before a server's certificate ends, each told once
authority_ends = [90, 30]     # the same for intermediates, and for what firmware pins
renew_before = 30             # it is renewed so many days before its end; without it at a third of its life
renew_notice = 7              # days before that day: who pins an intermediate is at risk then
renew_grace = 2               # days after it: the renewal was missed
unreachable_after = 1         # looks in a row without an answer

[[endpoint]]
host = "ota.example.com"

[[endpoint]]
host = "ota9.example.com"
port = 8443
addresses = ["192.0.2.10", "192.0.2.11:443", "[2001:db8::1]:443"]   # instead of all that the name has
accept = ["unknown-root"]     # flaws that are meant: a root of one's own
# family = "ipv4"             # or ipv6; any
# addresses_differ = true     # each address has an identity of its own

# Firmware that no manifest lists; the same tables as in a plan of `rig trust timeline`.
[[firmware]]
name = "lamp-1.0.4"
esp32 = { client = "deploy-the-fleet", fleet_release = "1.0.4", url = "https://ota.example.com/lamp" }

# Each channel has a queue of its own: one that is down delays no other, and gets all when it is up again.
[[alert.webhook]]
name = "ops"
url = "https://alerts.example.com/rig"        # or url_from = "VARIABLE"
headers_from = { Authorization = "RIG_OPS_TOKEN" }   # header = environment variable that has its value
least = "warning"             # info, warning or critical and above

[[alert.command]]
name = "mail"
argv = ["/usr/local/bin/mail-alert", "--to", "ops@example.com"]   # JSON on standard input; 0 says it took it

[metrics]
file = "/var/lib/node_exporter/textfile/rig_trust.prom"
listen = "127.0.0.1:9469"     # /metrics; not with --once
"""
