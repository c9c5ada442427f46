#!/usr/bin/env bash
# Executes every notebook of notebooks-md/ with the pinned packages of its requirements.txt.
#
# usage: notebooks.sh           in a scratch folder
#        notebooks.sh FOLDER    the same, and leaves them in FOLDER with what they show, as .ipynb
#
# Some compare what they compute with the command: .build/release/keystep where it was built, or the one that KEYSTEP
# names, which then has to be there.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${KEYSTEP:-}" ]; then
  KEYSTEP=$(realpath "$(command -v "$KEYSTEP")") || { printf 'notebooks: KEYSTEP names no command\n' >&2; exit 1; }
elif [ -x .build/release/keystep ]; then
  KEYSTEP=$PWD/.build/release/keystep
fi
export KEYSTEP
scripts/setup.sh python
installed=.venv/requirements.txt
if ! cmp -s notebooks-md/requirements.txt "$installed"; then
  .venv/bin/pip install --quiet --disable-pip-version-check -r notebooks-md/requirements.txt
  cp notebooks-md/requirements.txt "$installed"
fi
exec .venv/bin/python scripts/execute_notebooks.py "$@"
