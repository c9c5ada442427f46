"""Run annotate, rectify and corrupt against llama.cpp's OpenAI-compatible server; kill a run half-way and resume it.

usage: endpoint.py KEYSTEP MODEL.gguf FOLDER

A proxy between the two counts what is asked. The first run is killed (SIGKILL) as one of its requests arrives, so that
all earlier answers were given and this one was not; the second run has to get the rest, and nothing that was answered.
Exits with an error where a request was answered twice, or a third run asks for anything.
"""
import collections
import hashlib
import http.client
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

KILLED_AT = 4  # the request of `annotate` during which its first run ends


class Proxy(http.server.ThreadingHTTPServer):
    """Hands requests on to the server at `port`, counts the answers to each, and kills `victim` at a request's arrival."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = port
        self.lock = threading.Lock()
        self.answers = collections.Counter()
        self.arrivals = 0
        self.victim = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.arrivals += 1
            if self.server.victim and self.server.arrivals == KILLED_AT:
                self.server.victim.send_signal(signal.SIGKILL)
                self.close_connection = True
                return
        peer = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=600)
        peer.request("POST", self.path, body, {"Content-Type": "application/json"})
        response = peer.getresponse()
        answer = response.read()
        with self.server.lock:
            self.server.answers[hashlib.sha256(self.path.encode() + body).hexdigest()] += 1
        self.send_response(response.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(server: subprocess.Popen, port: int) -> None:
    for _ in range(240):
        if server.poll() is not None:
            sys.exit(f"llama.cpp's server ended with status {server.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/models")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("llama.cpp's server did not answer within two minutes")


def main(keystep: str, model: str, folder: Path) -> None:
    questions = str(Path(__file__).parent / "questions.jsonl")
    port = free_port()
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", "--model", model, "--model_alias", "smollm2", "--host", "127.0.0.1",
         "--port", str(port), "--n_ctx", "4096", "--seed", "0"], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(server, port)
        proxy = Proxy(port)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()

        def command(step: str, *options: str) -> list[str]:
            return [keystep, step, "--questions", questions, "--format", "jsonl", "--teacher", "endpoint",
                    "--base-url", proxy.url, "--model", "smollm2", "--store", str(folder / "store.sqlite"),
                    "--max-new-tokens", "96", "--tries", "2", "--output", str(folder / f"{step}.jsonl"), *options]

        annotate = command("annotate", "--concurrency", "1")
        proxy.victim = subprocess.Popen(annotate)
        if proxy.victim.wait() != -signal.SIGKILL:
            sys.exit(f"the first run was to be killed at its request {KILLED_AT}, but it ended by itself")
        proxy.victim = None
        before = sum(proxy.answers.values())
        print(f"killed after {before} answers; going on", flush=True)
        chains = ("--chains", str(folder / "annotate.jsonl"))
        runs = [annotate, command("rectify", *chains), command("corrupt", *chains)]
        for run in runs:
            subprocess.run(run, check=True)
        asked = sum(proxy.answers.values())
        for run in runs:
            subprocess.run(run, check=True)
        again = sum(proxy.answers.values()) - asked
        repeated = [key for key, count in proxy.answers.items() if count > 1]
        if repeated or again or asked <= before:
            sys.exit(f"{asked} answers, {before} of them before the kill: {len(repeated)} requests were answered more "
                     f"than once, {again} were asked for again by runs that had all")
        print(f"{asked} requests, each answered once: {before} before the kill, {asked - before} after it, none by the "
              "same commands run again")
        pairs = [keystep, "pair"]
        for step in ["annotate", "rectify", "corrupt"]:
            pairs += ["--chains", str(folder / f"{step}.jsonl")]
        subprocess.run([*pairs, "--output", str(folder / "endpoint-pairs.jsonl")], check=True)
        for step in ["annotate", "rectify", "corrupt"]:
            for line in (folder / f"{step}.jsonl").read_text(encoding="utf-8").splitlines():
                json.loads(line)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
