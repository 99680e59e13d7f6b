"""Pieces of configuration files."""

from __future__ import annotations

CANARY = "c4n4ry-s3cret"
AMI = 'type = "ami"\nendpoints = ["ami://h"]\nusername = "u"\npassword = { env = "P" }\n'
SIP = 'type = "sip"\nendpoints = ["sip:h"]\naor = "sip:6001@h"\npassword = { env = "P" }\n'
WS = 'type = "websocket"\nendpoints = ["ws://h/"]\n'
