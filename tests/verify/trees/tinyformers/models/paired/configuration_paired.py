from ...configuration_utils import PretrainedConfig


class PairedConfig(PretrainedConfig):
    model_type = "paired"
    is_encoder_decoder = True
