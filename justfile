# Everything CI checks, on this checkout.
check:
    .ci/run

# A campaign on the built-in example.
demo *words:
    .venv/bin/autoresearch demo {{words}}

# All tests, or those named.
test *words:
    .venv/bin/pytest -q -n 2 {{words}}

lint:
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    .venv/bin/lint-imports tools/importlinter.ini

types:
    .venv/bin/mypy

# Do the tests notice faults in the modules that decide? Without a group: half an hour.
mutants *words:
    .venv/bin/python tools/mutants.py {{words}}

# Write the generated pages anew, and test the documentation.
docs:
    .venv/bin/python tools/reference.py
    .venv/bin/pytest -q -m 'not soak' tests/docs

# The documentation as a site, in build/site.
site:
    .venv/bin/pip install -q -e '.[docs]'
    NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict
