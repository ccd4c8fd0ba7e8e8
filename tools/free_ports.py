#!/usr/bin/env python3
"""Print ports of 127.0.0.1 that nobody has, for servers that must be told theirs beforehand.

    python tools/free_ports.py NUMBER

Between this look and the server's start somebody else may take a port. Outgoing connections, and servers that ask for
any port, take theirs from the kernel's ephemeral range (ip(7), `ip_local_port_range`), so these come from below it.
"""

import random
import socket
import sys
from pathlib import Path

LOWEST = 10_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(number: int) -> list[int]:
    """So many different ports below the ephemeral range that can be bound right now."""
    ephemeral = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    found: list[int] = []
    for port in random.SystemRandom().sample(range(LOWEST, max(ephemeral, LOWEST + 1_000)), k=1_000):
        if len(found) == number:
            break
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
    return found


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1])))
