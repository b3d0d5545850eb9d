from tinyformers.configuration_utils import PretrainedConfig


class PebbleConfig(PretrainedConfig):
    model_type = "pebble"

    def __init__(self, gated=False, **kwargs):
        self.gated = gated
        super().__init__(**kwargs)
