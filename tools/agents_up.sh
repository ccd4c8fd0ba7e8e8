#!/usr/bin/env bash
# Install real coding agents for the tests, from npm, outside the repository; what is there is left alone.
#   tools/agents_up.sh [NAME...]     default: claude codex opencode gemini claude-agent-acp
# As root on Debian it also installs bubblewrap and Node.js where they are missing. Agents go to $AUTORESEARCH_TEST_CACHE (default /tmp/autoresearch-test-cache)/npm/NAME. No account is needed: the tests
# let them talk to a scripted model on this machine.
set -euo pipefail
cache=${AUTORESEARCH_TEST_CACHE:-/tmp/autoresearch-test-cache}/npm

package() {
    case $1 in
        claude) echo @anthropic-ai/claude-code ;;
        codex) echo @openai/codex ;;
        opencode) echo opencode-ai ;;
        gemini) echo @google/gemini-cli ;;
        qwen) echo @qwen-code/qwen-code ;;
        claude-agent-acp | codex-acp) echo "@agentclientprotocol/$1" ;;
        *) echo "unknown agent: $1 (known: claude codex opencode gemini claude-agent-acp codex-acp qwen)" >&2; return 2 ;;
    esac
}

debian() { [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; }

missing=()
command -v bwrap > /dev/null || missing+=(bubblewrap)
command -v npm > /dev/null || missing+=(nodejs npm)
if [ "${#missing[@]}" -gt 0 ]; then
    if debian; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"
    elif ! command -v npm > /dev/null; then
        echo "npm is needed to install agents; install Node.js 20 or newer" >&2
        exit 1
    fi
fi

for name in "${@:-claude codex opencode gemini claude-agent-acp}"; do
    for one in $name; do
        wanted=$(package "$one")
        if [ -x "$cache/$one/node_modules/.bin/$one" ]; then
            echo "$one: already in $cache/$one"
            continue
        fi
        mkdir -p "$cache/$one"
        npm install --prefix "$cache/$one" --no-audit --no-fund --loglevel=error "$wanted"
        echo "$one: installed in $cache/$one"
    done
done
