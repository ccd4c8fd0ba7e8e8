"""An agent that speaks the Agent Client Protocol just well enough to misbehave; standard library only.

`python acp_peer.py DEED [JSON]`: `ask` sends the client every `[method, params]` of the JSON list during its turn and
says what came back as its last message; `garbage`, `die`, `flood`, `deaf`, `dear`, `newer` and `auth` are the ways to be no partner.
"""

import json
import sys
import time

ANSWER = '```json\n{"title": "asked a lot"}\n```'


def send(**message: object):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def receive():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)


def turn(deed, requests):
    """What happens between prompt and answer."""
    if deed == "garbage":
        print('nonsense\n{"jsonrpc": []}\n[1, 2]\n{"jsonrpc": "2.0", "id": 99, "result": 1}', flush=True)
    elif deed == "die":
        sys.exit(3)
    elif deed == "flood":
        print("x" * (65 << 20), flush=True)
    elif deed == "dear":
        cost = {"amount": 9.0, "currency": "USD"}
        update = {"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": cost}
        send(method="session/update", params={"sessionId": "s", "update": update})
        while receive().get("method") != "session/cancel":
            pass
        sys.exit()
    elif deed == "deaf":
        while True:
            time.sleep(1)
    replies = []
    for number, (method, params) in enumerate(requests):
        send(id=1000 + number, method=method, params={"sessionId": "s", **params})
        while "method" in (reply := receive()):
            pass
        replies.append(reply.get("result", reply.get("error")))
    text = f"{json.dumps(replies)}\n{ANSWER}"
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    send(method="session/update", params={"sessionId": "s", "update": update})


def main():
    deed, requests = sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else []
    while True:
        request = receive()
        match request.get("method"):
            case "initialize":
                version = 2 if deed == "newer" else 1
                send(id=request["id"], result={"protocolVersion": version, "agentCapabilities": {}})
            case "session/new" if deed == "auth":
                send(id=request["id"], error={"code": -32000, "message": "Authentication required"})
            case "session/new":
                send(id=request["id"], result={"sessionId": "s"})
            case "session/prompt":
                turn(deed, requests)
                send(id=request["id"], result={"stopReason": "end_turn"})


if __name__ == "__main__":
    main()
