from ...configuration_utils import PretrainedConfig


class CrashingConfig(PretrainedConfig):
    model_type = "crashing"
