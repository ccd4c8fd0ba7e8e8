"""Keep rules of other tools in our words, as `benchmarks/verdicts/peers.py` has them: no fresh seeds."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "verdicts"))
from peers import PEERS

RULES = tuple((peer.name, peer, 0.0) for peer in PEERS)
