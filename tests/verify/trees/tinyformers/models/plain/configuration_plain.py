from ...configuration_utils import PretrainedConfig


class PlainConfig(PretrainedConfig):
    model_type = "plain"
