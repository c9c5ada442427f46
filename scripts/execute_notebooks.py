"""Execute every Jupytext Markdown notebook of notebooks-md/ and stop at the first cell that fails.

The cells run in a scratch folder laid out like the repository, with a copy of results/: a notebook reads
`../results/<experiment>.csv` there as it does in the checkout, and can write nothing into it.
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
notebooks = sorted(path for path in (root / "notebooks-md").glob("*.md") if path.name != "README.md")
with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch) / "notebooks-md"
    folder.mkdir()
    if (root / "results").is_dir():
        shutil.copytree(root / "results", Path(scratch) / "results", ignore=shutil.ignore_patterns("scratch"))
    for path in notebooks:
        start = time.perf_counter()
        client = NotebookClient(jupytext.read(path), timeout=600, kernel_name="python3",
                                resources={"metadata": {"path": str(folder)}})
        try:
            client.execute()
        except CellExecutionError as error:
            sys.exit(f"{path.relative_to(root)}: {error}")
        print(f"{path.relative_to(root)}: {time.perf_counter() - start:.1f} s")
print(f"{len(notebooks)} notebooks executed")
