"""An annotated sample of everything that a configuration file may hold."""

from __future__ import annotations

_SAMPLE = """\
# trunkline: which connections are kept up, and how. Times are in seconds.
# Commented lines show the default, unless they say otherwise. `trunkline check` looks at the file.
#
# A secret is a plain string (then the file must be yours alone: chmod 600) or a reference, read anew
# for each login:  { env = "NAME" }   { file = "~/.secrets/NAME" }   { command = ["pass", "show", "NAME"] }
# Paths are relative to this file.

[defaults]
# Every line of this table may stand in a connection too, and counts for that one alone.

# policy = "default"         # one of those below, or of your own: [policies.NAME]
#   default                  # 1, 2, 4, 8, 16, then 30 s, 15 attempts: all the numbers that follow
#   gentle                   # from 5 to 300 s, few signs of life: a server that is shared or far away
#   aggressive               # from 0.5 to 5 s, hung peers noticed early: a server of your own that bears it
#   rfc5626                  # from 60 to 1800 s, up to half of it left to chance (RFC 5626, section 4.5)

# base_delay = 1             # wait before attempt 1, doubled for each attempt that follows…
# max_delay = 30             # …up to this
# jitter = 0.2               # share of a wait that chance may take off; 0 for exact waits
# max_attempts = 15          # after this many the connection is parked
# cooldown = 300             # between the slow probes of a parked connection; 0 for none
# blocked_retry = 1800       # between the tries of one that was refused for good; 0 for none

# connect_timeout = 15       # name lookup, connect, TLS, handshake and login together
# stable_after = 30          # up for so long, attempts count from nothing again

# heartbeat_interval = 25    # between two signs of life
# heartbeat_timeout = 10     # how long one may take…
# suspect_timeout = 3        # …and how long once one has failed
# health_interval = 30       # between two deeper looks
# unhealthy_threshold = 3    # failures in a row at which a session is given up

# login_budget = 4           # refused logins that a host is asked to bear…
# login_window = 600         # …within this time

# start_rate = 80            # connections opened on a host in a second at most; 0 for no such bound
# sibling_wake = true        # one of the same host (or group) that comes back ends the waits of the others
# sibling_doubt = true       # one that dies makes the others send a sign of life at once
# peek = true                # a host that is waited for is looked at each second; its return ends the wait
# flap_watch = true          # losses in a rhythm, or very many, are told of with their likely cause and cure

[service]                     # `trunkline serve`; root and its own user may do everything
# read_group = "users"        # who is in this group of the machine may look; nobody if not set
# act_group = "adm"           # who is in this one may give commands too; nobody if not set
# listen = "0.0.0.0:8443"     # for other machines, by TLS and with a token; they are kept out if not set
# cert_file = "service.pem"   # the certificate that they are shown…
# key_file = "service.key"    # …and its key
# read_token = { file = "~/.secrets/read-token" }    # who has it may look: 16 characters or more…
# act_token = { file = "~/.secrets/act-token" }      # …or, with this one, give commands too

[policies.office]                             # chosen with policy = "office"
base = "gentle"                               # what it does not set itself; "default" if not set
max_attempts = 40                             # every number of [defaults] may stand here

[connections.pbx1-ami]
type = "ami"                                  # Asterisk's manager interface
endpoints = ["ami://127.0.0.1:5038"]          # amis:// is TLS; several addresses form a pool
username = "monitor"
password = { env = "PBX1_SECRET" }
# weight = 1                                  # share in the health of the whole
# strategy = "priority"                       # of several: the first that is well; else "round-robin",
                                              # "least-latency", "random" or "weighted", where an endpoint is
                                              # { address = "ami://pbx2.example.com", weight = 3 }
# spare = false                               # true: a second session stands by on another of the endpoints
                                              # and takes over at once; for SIP that is another registrar
# group = "pbx1"                              # who shares a fate; the host of the endpoint if not set

[connections.desk-6001]
type = "sip"                                  # a registration at a SIP registrar
endpoints = ["sip:pbx1.example.com;transport=tcp"]   # udp, tcp, tls; sips: too; ws:// and wss:// as well
aor = "sip:6001@pbx1.example.com"
password = { file = "~/.secrets/6001" }
# username = "6001"                           # the user part of aor if not set
# expires = 300                               # lifetime of the binding that is asked for
# invite_answer = 486                         # what an incoming call is refused with, 400 to 699

[connections.backend]
type = "websocket"
endpoints = ["wss://backend.example.com/events"]
headers = { Authorization = { env = "BACKEND_AUTH" } }
query = { api_key = { env = "ARI_KEY" } }     # secret parameters; harmless ones may stand in the address
subprotocols = []                             # the server has to take one of these
on_connect = ['{"subscribe": "calls"}']       # messages sent after each connect
heartbeat_message = '{"type": "ping"}'        # answered by any message; a protocol ping if not set
check_message = '{"type": "status"}'          # the deeper look; none if not set
check_reply = '"ok"'                          # what the reply contains; any message if not set
# compression = false
# max_message_size = 1048576                  # bytes; a larger message ends the session
# proxy = "http://proxy.example.com:3128"     # socks5:// too; none if not set, whatever the environment says

# Other types come with packages of their own; `trunkline check` lists the installed ones where it knows no
# such type.

# TLS, for any of them:
# verify = true                               # whether the server's certificate is checked
# ca_file = "ca.pem"                          # authorities to trust instead of the system's
# cert_file = "client.pem"                    # a certificate of our own…
# key_file = "client.key"                     # …and its key
# server_name = "backend.example.com"         # name to check against; the host of the endpoint if not set
"""


def example() -> str:
    """Return a sample configuration that is valid as it is and explains every setting."""
    return _SAMPLE
