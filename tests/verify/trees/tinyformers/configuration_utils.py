from typing import ClassVar


class PretrainedConfig:
    model_type = ""
    sub_configs: ClassVar[dict] = {}

    def __init__(
        self,
        vocab_size=32000,
        hidden_size=512,
        num_hidden_layers=8,
        num_attention_heads=8,
        sliding_window=4096,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.sliding_window = sliding_window
        self._attn_implementation = "eager"
