from ...configuration_utils import PretrainedConfig


class WindowedConfig(PretrainedConfig):
    model_type = "windowed"
