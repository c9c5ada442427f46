"""Compare the renderer of chat templates with Transformers' on published templates, and token ids on SmolLM2's.

usage: chat_templates.py KEYSTEP MODEL.gguf CHECKPOINT FOLDER

CHECKPOINT is the model as a Hugging Face folder. The templates are those of the installed `trl`, and of the source
distribution of llama-cpp-python, which pip fetches once, into the virtual environment. Each is rendered by `keystep render` and
in the environment of Transformers over the same conversations, with and without a generation prompt, tools and other
variables; each text must be the same, and both must refuse the same conversations. The clock stands at a fixed date.

The token ids are those of `apply_chat_template` of the checkpoint's tokenizer: prompts with the generation prompt, and
whole conversations with the masks of {% generation %} blocks (return_assistant_tokens_mask), which training on `messages`
must have too.
"""
import datetime
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

SDIST = "llama-cpp-python"
DATE = datetime.datetime(2025, 3, 4)
TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "The \"weather\" of a city.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "its name"},
                                         "days": {"type": "array", "items": {"type": "integer"}}},
        "required": ["city"]}}}]
VARIANTS = [{}, {"tools": TOOLS}, {"chat_template_kwargs": {"enable_thinking": False}},
            {"chat_template_kwargs": {"date_string": "1 Jan 2024"}}]


def message(role: str, content, **more) -> dict:
    return {"role": role, "content": content, **more}


def user(content) -> dict:
    return message("user", content)


def assistant(content, **more) -> dict:
    return message("assistant", content, **more)


# ChatML with what the assistant writes in {% generation %}, of the tests' fixtures. (TRL's training template of Qwen 2.5
# has the newline before it in there too, which belongs to the generation prompt.)
FIXTURES = Path(__file__).parents[2] / "Tests/Fixtures/chat-templates/tokens.json"
MARKED = next(entry["template"] for entry in json.loads(FIXTURES.read_text(encoding="utf-8"))["entries"]
              if entry["family"] == "qwen2")
CALL = {"type": "function", "id": "call12345", "function": {
    "name": "weather", "arguments": {"city": "Zürich", "days": [1, 2.5, None, True]}}}
CONVERSATIONS = {
    "user": [user("What is 2+2?")],
    "system": [message("system", "Be brief."), user("  Héllo <b>&\"'\n\n")],
    "turns": [user("a"), assistant("b\n"), user(" c "), assistant("d")],
    "system and turns": [message("system", "s"), user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c")],
    "answered": [user("Q"), assistant("The answer is 4.")],
    "thought": [user("Q"), assistant("<think>\nx\n</think>\n\nA")],
    "system only": [message("system", "only")],
    "two users": [user("a"), user("b")],
    "assistant first": [assistant("a"), user("b")],
    "late system": [user("a"), message("system", "b"), user("c")],
    "none": [],
    "unknown role": [message("critic", "x")],
    "parts": [user([{"type": "text", "text": "part"}])],
    "tool call": [user("a"), assistant(None, tool_calls=[CALL]),
                  message("tool", "7", tool_call_id="call12345", name="weather"), assistant("done")],
    "reasoning": [user("a"), assistant("b", reasoning_content="why"), user("c")],
}


def published() -> dict[str, Path]:
    """The templates by name."""
    import trl

    requirements = Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8")
    version = re.search(rf"^{SDIST}.*==(.*)$", requirements, re.MULTILINE)[1]
    cache = Path(sys.prefix) / "templates"
    folder = cache / f"{SDIST}-{version}"
    if not folder.exists():
        # A wheel has no templates, so pip must take the source.
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", SDIST, "--dest", cache,
                        f"{SDIST}=={version}"], check=True)
        archive = next(cache.glob("llama_cpp_python-*.tar.gz"))
        with tarfile.open(archive) as files:
            members = [file for file in files.getmembers()
                       if "/models/templates/" in file.name and file.name.endswith(".jinja")]
            for file in members:
                file.name = Path(file.name).name
            folder.mkdir(parents=True)
            files.extractall(folder, members, filter="data")
        archive.unlink()
    paths = sorted(folder.glob("*.jinja")) + sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
    return {f"{path.parent.name}/{path.name}": path for path in paths}


def keystep(*arguments) -> list[dict]:
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.strip("\n").split("\n")]


def write(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def compare_texts(
        program: str, name: str, arguments: list, source: str, tokens: dict, file: Path, lines: list) -> tuple[int, int]:
    from transformers.utils import chat_template_utils

    texts, refusals = 0, 0
    for prompted in [False, True]:
        flags = ["--add-generation-prompt"] if prompted else []
        found = keystep(
            program, "render", *arguments, "--messages", file, "--json", "--template-date", f"{DATE:%Y-%m-%d}", *flags)
        for (label, line), mine in zip(lines, found, strict=True):
            try:
                template = chat_template_utils._compile_jinja_template(source)
                expected = template.render(
                    messages=json.loads(json.dumps(line["messages"])), tools=line.get("tools"), documents=None,
                    add_generation_prompt=prompted, **tokens, **line.get("chat_template_kwargs", {}))
            except Exception as error:
                if "error" not in mine:
                    sys.exit(f"{name}, {label}: expected an error ({error}), found {mine['text']!r}")
                refusals += 1
                continue
            if mine.get("text") != expected:
                sys.exit(f"{name}, {label}, {flags}: expected {expected!r}, found {mine}")
            texts += 1
    if not texts:
        print(f"{name}: both refuse all conversations")
    return texts, refusals


def compare_tokens(program: str, gguf: str, checkpoint: str, folder: Path) -> int:
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    # SmolLM2's, as its tokenizer.json has it: what Transformers reads of a GGUF does not split digits.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    conversations = [
        [user("What is 2+2?"), assistant("2+2 is 4.")],
        [message("system", "Be brief."), user("Héllo, 漢字 🙂?"), assistant("The answer is\n\n1. café\n")],
        [user("a"), assistant("b"), user("c\n\n"), assistant("d e f"), user("g"), assistant("h <|im_start|> i")],
        [message("system", "s"), user("Write code."), assistant("```python\nprint('x')\n```"), user("Thanks"), assistant("!")],
    ]
    prompts = write(folder / "prompts.jsonl", [{"prompt": messages[:-1]} for messages in conversations])
    found = keystep(program, "generate", "--model", gguf, "--prompts", prompts, "--max-new-tokens", 1, "--json")
    for messages, line in zip(conversations, found, strict=True):
        expected = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True)["input_ids"]
        if line["prompt_tokens"] != expected:
            sys.exit(f"prompt of {messages}: expected {expected}, found {line['prompt_tokens']}")
    marked = folder / "marked.jinja"
    marked.write_text(MARKED, encoding="utf-8")
    chats = write(folder / "chats.jsonl", [{"messages": messages} for messages in conversations])
    count = len(conversations)
    for template in [None, marked]:
        flags = ["--chat-template", template] if template else []
        found = keystep(program, "render", "--model", gguf, "--messages", chats, "--tokens", "--json", *flags)
        for messages, line in zip(conversations, found, strict=True):
            whole = tokenizer.apply_chat_template(
                messages, chat_template=template and MARKED, return_dict=True, return_assistant_tokens_mask=bool(template))
            ids = whole["input_ids"]
            # What follows the last <|im_end|> is never generated, and is not trained on.
            end = len(ids) - ids[::-1].index(tokenizer.eos_token_id)
            if line["tokens"] != ids[:end]:
                sys.exit(f"{messages}: expected {ids[:end]}, found {line['tokens']}")
            if template and line["assistant_mask"] != whole["assistant_masks"][:end]:
                sys.exit(f"mask of {messages}: expected {whole['assistant_masks'][:end]}, found {line['assistant_mask']}")
            count += 1
    return count


def main(program: str, gguf: str, checkpoint: str, folder: str) -> None:
    from transformers import AutoTokenizer
    from transformers.utils import chat_template_utils

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return DATE

    chat_template_utils.datetime = Clock
    work = Path(folder)
    work.mkdir(parents=True, exist_ok=True)
    lines = [(f"{label}, variant {number}", {"messages": messages} | variant)
             for label, messages in CONVERSATIONS.items() for number, variant in enumerate(VARIANTS)]
    file = write(work / "conversations.jsonl", [line for _, line in lines])
    templates = published()
    totals = [0, 0]
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokens = {"bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token}
    for name, path in [("the model's own", None), *templates.items()]:
        source = path.read_bytes().decode() if path else tokenizer.chat_template
        arguments = ["--model", gguf, *(["--chat-template", path] if path else [])]
        found = compare_texts(program, name, arguments, source, tokens, file, lines)
        totals = [total + count for total, count in zip(totals, found)]
    print(f"chat templates: {len(templates) + 1}, {totals[0]} texts equal to Transformers', "
          f"{totals[1]} conversations refused by both")
    count = compare_tokens(program, gguf, checkpoint, work)
    print(f"chat tokens: {count} conversations with the ids and masks of apply_chat_template")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
