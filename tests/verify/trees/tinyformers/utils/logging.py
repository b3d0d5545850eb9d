def set_verbosity_error():
    pass
