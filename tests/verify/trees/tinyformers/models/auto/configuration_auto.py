CONFIG_MAPPING_NAMES = {
    "choosing": "ChoosingConfig",
    "claimless": "ClaimlessConfig",
    "crashing": "CrashingConfig",
    "forgetful": "ForgetfulConfig",
    "paired": "PairedConfig",
    "plain": "PlainConfig",
    "windowed": "WindowedConfig",
}


def model_type_to_module_name(model_type):
    return model_type.replace("-", "_")
