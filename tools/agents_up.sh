#!/usr/bin/env bash
# Install real coding agents for the tests, from npm and PyPI, outside the repository; what is there is left alone.
#   tools/agents_up.sh [NAME...]     default: claude codex opencode gemini claude-agent-acp mini aider
# As root on Debian it also installs bubblewrap and Node.js where they are missing. Agents go to
# $AUTORESEARCH_TEST_CACHE (default /tmp/autoresearch-test-cache)/npm/NAME, those from PyPI to .../pypi/NAME, each with an
# environment of its own, made by uv. No account is needed: the tests let them talk to a scripted model on this machine.
# `mcp-inspector`, the client that MCP's makers test servers with, comes with the Node.js that it needs.
set -euo pipefail
home=${AUTORESEARCH_TEST_CACHE:-/tmp/autoresearch-test-cache}
cache=$home/npm
default="claude codex opencode gemini claude-agent-acp mini aider mcp-inspector"

package() {
    case $1 in
        claude) echo @anthropic-ai/claude-code ;;
        codex) echo @openai/codex ;;
        opencode) echo opencode-ai ;;
        gemini) echo @google/gemini-cli ;;
        qwen) echo @qwen-code/qwen-code ;;
        mcp-inspector) echo @modelcontextprotocol/inspector@2 node@22 ;;
        claude-agent-acp | codex-acp) echo "@agentclientprotocol/$1" ;;
        *) echo "unknown agent: $1 (known: $default codex-acp qwen)" >&2; return 2 ;;
    esac
}

get_uv() { # uv makes in ten seconds what takes pip minutes; its path is printed
    command -v uv && return
    [ -x "$home/pypi/uv/bin/uv" ] || { python3 -m venv "$home/pypi/uv" && "$home/pypi/uv/bin/pip" install -q uv; }
    echo "$home/pypi/uv/bin/uv"
}

from_pypi() { # from_pypi NAME PACKAGE PYTHONS: PACKAGE in an environment of one of those Pythons
    local place=$home/pypi/$1 uv
    if [ -x "$place/bin/$1" ]; then
        echo "$1: already in $place"
        return
    fi
    uv=$(get_uv)
    export UV_CACHE_DIR=$home/pypi/cache UV_PYTHON_DOWNLOADS=never
    if ! "$uv" venv -q --clear --python "$3" "$place"; then
        echo "$1: left out, it needs a Python $3"
        return
    fi
    "$uv" pip install -q --python "$place/bin/python" "$2"
    echo "$1: installed in $place"
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

for name in "${@:-$default}"; do
    for one in $name; do
        case $one in
            mini) from_pypi mini mini-swe-agent ">=3.10"; continue ;;
            aider) from_pypi aider aider-chat ">=3.10,<3.13"; continue ;;
        esac
        read -r -a wanted <<< "$(package "$one")"
        if [ -x "$cache/$one/node_modules/.bin/$one" ]; then
            echo "$one: already in $cache/$one"
            continue
        fi
        mkdir -p "$cache/$one"
        npm install --prefix "$cache/$one" --no-audit --no-fund --loglevel=error "${wanted[@]}"
        echo "$one: installed in $cache/$one"
    done
done
