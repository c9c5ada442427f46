"""Execute every Jupytext Markdown notebook of notebooks-md/ and stop at the first cell that fails.

The cells run in a scratch folder laid out like the repository, with a copy of results/ and links to the sources: a
notebook reads `../results/<experiment>.csv` there as it does in the checkout, and what it writes stays there.

usage: execute_notebooks.py [FOLDER]    FOLDER takes the executed notebooks as .ipynb
"""
import shutil
import sys
import tempfile
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

root = Path(__file__).resolve().parent.parent
output = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
notebooks = sorted(path for path in (root / "notebooks-md").glob("*.md") if path.name != "README.md")
with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch) / "notebooks-md"
    folder.mkdir()
    for module in (root / "notebooks-md").glob("*.py"):
        shutil.copy(module, folder)
    for name in ("Sources", "Tests", "experiments", "Package.swift"):
        (Path(scratch) / name).symlink_to(root / name)
    if (root / "results").is_dir():
        shutil.copytree(root / "results", Path(scratch) / "results", ignore=shutil.ignore_patterns("scratch"))
    for path in notebooks:
        start = time.perf_counter()
        notebook = jupytext.read(path)
        client = NotebookClient(notebook, timeout=600, kernel_name="python3",
                                resources={"metadata": {"path": str(folder)}})
        try:
            client.execute()
        except CellExecutionError as error:
            sys.exit(f"{path.relative_to(root)}: {error}")
        if output:
            output.mkdir(parents=True, exist_ok=True)
            jupytext.write(notebook, output / f"{path.stem}.ipynb")
        print(f"{path.relative_to(root)}: {time.perf_counter() - start:.1f} s", flush=True)
print(f"{len(notebooks)} notebooks executed")
