#!/usr/bin/env bash
# Executes every notebook of notebooks-md/ with the pinned packages of its requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh python
installed=.venv/requirements.txt
if ! cmp -s notebooks-md/requirements.txt "$installed"; then
  .venv/bin/pip install --quiet --disable-pip-version-check -r notebooks-md/requirements.txt
  cp notebooks-md/requirements.txt "$installed"
fi
exec .venv/bin/python scripts/execute_notebooks.py
