"""A tiny policy and its tokenizer, made here: no download, one random initialisation."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

here = Path(__file__).parent
torch.manual_seed(0)
words = ["<pad>", "<eos>", *"0123456789+= "]
tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<pad>"))
tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
tokenizer.decoder = decoders.Fuse()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
fast.save_pretrained(here / "tiny")
config = LlamaConfig(
    vocab_size=len(words),
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
    max_position_embeddings=64,
    pad_token_id=0,
    eos_token_id=1,
    bos_token_id=1,
)
LlamaForCausalLM(config).save_pretrained(here / "tiny")
sums = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(10) for b in range(10)]
(here / "sums").mkdir(exist_ok=True)
for name, rows in {"train": sums[::2], "test": sums[1::6]}.items():
    (here / "sums" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
