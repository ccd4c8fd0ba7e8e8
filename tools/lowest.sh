#!/usr/bin/env bash
# Installs the lowest versions that pyproject.toml admits, imports every module and runs the tests of what uses a library.
# Thrice: with every extra for tests, with the demo's and with the trackers' alone, for some ask for newer versions of the
# rest.
# Needs uv on PATH or in .venv; the environments are made in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$PWD/.venv/bin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

try() { # try NAME WHAT...: an environment, what is installed into it at its lowest
    local name=$1
    shift
    uv venv -q --python "$(command -v python3)" "$scratch/$name"
    VIRTUAL_ENV="$scratch/$name" uv pip install -q --resolution lowest-direct "$@"
    printf '\n== %s: %s\n' "$name" "$*"
    VIRTUAL_ENV="$scratch/$name" uv pip list 2> /dev/null
}

imports() { # imports NAME EXCEPT: every module of the package, but those that need a package left out on purpose
    "$scratch/$1/bin/python" -W error - "$2" << 'EOF'
import importlib, pkgutil, sys
import autoresearch

names = [module.name for module in pkgutil.walk_packages(autoresearch.__path__, "autoresearch.")]
names = [name for name in names if ".examples.tree" not in name and not name.endswith("__main__")]
lacking = {}
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        lacking[name] = error.name
print(f"{len(names)} modules imported but {lacking or 'none'}")
sys.exit(any(module not in sys.argv[1].split() for module in lacking.values()))
EOF
}

tests() { # tests NAME: of what reads, writes and computes with a library; what decides needs the standard library alone
    "$scratch/$1/bin/pytest" -q -n 2 tests/{config,examples,experiment,metrics,records,report,researchers,run,secrets,targets}
}

try demo -e '.[demo]' 'hypothesis>=6.100' 'pytest>=8.3.5' 'pytest-randomly>=3.15' 'pytest-timeout>=2.3' \
    'pytest-xdist>=3.6' 'tensorboard>=2.18'
imports demo "acp mcp"
tests demo

try all -e '.[test]'
imports all ""
tests all

try trackers -e '.[mlflow,wandb]' 'hypothesis>=6.100' 'pytest>=8.3.5' 'pytest-timeout>=2.3'
"$scratch/trackers/bin/pytest" -q -m trackers tests/trackers
