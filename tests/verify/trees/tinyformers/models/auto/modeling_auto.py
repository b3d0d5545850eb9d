MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = {
    "claimless": "ClaimlessForCausalLM",
    "crashing": "CrashingForCausalLM",
    "forgetful": "ForgetfulForCausalLM",
    "plain": "PlainForCausalLM",
    "windowed": "WindowedForCausalLM",
}
MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES = {
    "paired": "PairedForConditionalGeneration",
}
MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES = {
    "choosing": "ChoosingForMultipleChoice",
}
