#!/usr/bin/env bash
# Builds what a release publishes into dist/, and proves that each of the two installs by itself and runs.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m venv "$scratch/tools"
"$scratch/tools/bin/pip" install -q build twine
rm -rf dist
"$scratch/tools/bin/python" -m build --outdir dist .
"$scratch/tools/bin/twine" check --strict dist/*

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/autoresearch/version.py)
for made in dist/*.whl dist/*.tar.gz; do
    python3 -m venv "$scratch/fresh"
    "$scratch/fresh/bin/pip" install -q "$made"
    (cd "$scratch" && fresh/bin/autoresearch --help > /dev/null && fresh/bin/autoresearch --version) | tee "$scratch/said"
    grep -qx "autoresearch $version" "$scratch/said"
    rm -rf "$scratch/fresh"
    echo "$made installs and runs"
done

# A citation file that a reader of citation files accepts. In an environment of its own: it needs an old jsonschema.
python3 -m venv "$scratch/citation"
"$scratch/citation/bin/pip" install -q 'cffconvert>=2'
"$scratch/citation/bin/cffconvert" --validate
