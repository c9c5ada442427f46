"""Load exported pairs with `datasets` and train a step on them with TRL's DPOTrainer.

usage: preferences.py PAIRS.jsonl CHECKPOINT FOLDER
"""
import sys


def main(pairs: str, checkpoint: str, folder: str) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    data = load_dataset("json", data_files=pairs, split="train", cache_dir=f"{folder}/datasets")
    missing = {"prompt", "chosen", "rejected"} - set(data.column_names)
    if missing or not len(data):
        sys.exit(f"{pairs}: expected pairs with prompt, chosen and rejected, found {len(data)} without {missing}")
    data = data.select_columns(["prompt", "chosen", "rejected"]).select(range(min(4, len(data))))
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(checkpoint),
        args=DPOConfig(output_dir=f"{folder}/dpo", per_device_train_batch_size=2, max_steps=1, report_to="none",
                       use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no", disable_tqdm=True),
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(checkpoint))
    loss = trainer.train().training_loss
    # Student and reference are the same model before the first step: DPO's loss is then ln 2.
    if not abs(loss - 0.693147) < 1e-3:
        sys.exit(f"DPO's loss before the first step: expected ln 2, found {loss}")
    print(f"DPOTrainer: a step on {len(data)} pairs, loss {loss:.4f}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
