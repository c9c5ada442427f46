"""Render and tokenize conversations with Transformers, with the tokenizers of ../tokenizers/families.

usage: make_tokens.py     writes tokens.json beside it; made with transformers 5.23.0 and Jinja2 3.1.6

For each family a template written here, in the manner of the published ones, and for each conversation
  prompt  the ids of apply_chat_template of the messages before the last, with the generation prompt
  ids     those of all messages
  mask    which of them the {% generation %} blocks made (return_assistant_tokens_mask): a message and its end
The tokenizers are read from tokenizer.json as they are; Transformers 5 builds others in some of its classes.
"""
import json
from pathlib import Path

import jinja2
import transformers
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent
FAMILIES = HERE.parent / "tokenizers" / "families"

TEMPLATES = {
    "qwen2": """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' %}
        {%- generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}
    {%- else %}
        {{- message.content + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "llama-3": """{{ bos_token }}{% for message in messages %}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}{% if message.role == 'assistant' %}
{% generation %}{{ message.content | trim + '<|eot_id|>' }}{% endgeneration %}
{% else %}
{{ message.content | trim + '<|eot_id|>' }}{% endif %}
{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}""",
    "gemma": """{{ bos_token }}{% for message in messages %}
{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' }}{% if message.role == 'assistant' %}
{% generation %}{{ message.content | trim + '<end_of_turn>' }}{% endgeneration %}
{% else %}
{{ message.content | trim + '<end_of_turn>' }}{% endif %}
{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}""",
    "mistral": """{{ bos_token }}{% for message in messages %}
{% if message.role == 'assistant' %}
{% generation %}{{ ' ' + message.content + eos_token }}{% endgeneration %}
{% else %}
{{ '[INST] ' + message.content + ' [/INST]' }}{% endif %}
{% endfor %}""",
    "phi-3": """{% for message in messages %}
{{ '<|' + message.role + '|>\\n' }}{% if message.role == 'assistant' %}
{% generation %}{{ message.content + '<|end|>' }}{% endgeneration %}
{% else %}
{{ message.content + '<|end|>' }}{% endif %}
{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}""",
}


def message(role: str, content: str) -> dict:
    return {"role": role, "content": content}


CONVERSATIONS = [
    [message("user", "Q: 2 + 3?"), message("assistant", "Five pens")],
    [message("system", "Let's think step by step."), message("user", "Le café, déjà vu?"),
     message("assistant", "The answer is 5.\n\n1. naïve 漢字")],
    [message("user", "Tom has 12 apples."), message("assistant", "How many apples are there?"),
     message("user", "There are 34."), message("assistant", "So the answer is 34 😀.")],
]


def main() -> None:
    entries = []
    for family, template in TEMPLATES.items():
        folder = FAMILIES / family
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        tokens = {key: config[key] for key in ("bos_token", "eos_token", "unk_token") if isinstance(config.get(key), str)}
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **tokens)
        for messages in CONVERSATIONS:
            prompt = tokenizer.apply_chat_template(
                messages[:-1], chat_template=template, add_generation_prompt=True, return_dict=True)["input_ids"]
            whole = tokenizer.apply_chat_template(
                messages, chat_template=template, return_dict=True, return_assistant_tokens_mask=True)
            entries.append({"family": family, "template": template, "bos": tokens.get("bos_token"),
                            "eos": tokens.get("eos_token"), "messages": messages, "prompt": prompt,
                            "ids": whole["input_ids"], "mask": whole["assistant_masks"]})
    head = json.dumps({"transformers": transformers.__version__, "jinja2": jinja2.__version__})
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (HERE / "tokens.json").write_text(head[:-1] + ',\n"entries": [\n' + lines + "\n]}\n", encoding="utf-8")
    print(f"{len(entries)} conversations")


if __name__ == "__main__":
    main()
